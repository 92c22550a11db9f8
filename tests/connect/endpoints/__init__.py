"""Endpoints as code: what is made, what is changed, what is left alone, and that nobody reads a secret."""
