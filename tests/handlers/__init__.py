"""An app as a user of this project has one: it listens to events."""
