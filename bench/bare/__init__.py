"""A Django project with the least that takes a signed delivery: a view that checks the HMAC and inserts the body."""
