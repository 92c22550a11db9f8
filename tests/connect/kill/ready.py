"""Imported by the process that all others are forked from: so one that is killed is back at once."""

import django

django.setup()
