"""An app whose handlers wait for the test, in processes of their own."""

GATE = 20_000
"""The number of the advisory lock that the test holds. Not in `stripe_handlers`, whose import registers a handler."""
