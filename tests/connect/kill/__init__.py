"""Processes are killed while events come in, and nothing is lost: an app, its handlers, and the run that kills."""
