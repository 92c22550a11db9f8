"""What every mirrored object shares."""
