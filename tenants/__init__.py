"""Whose rows: keeping merchants apart in the database. Imports connect and django_stripe."""
