"""An app that listens to events."""
