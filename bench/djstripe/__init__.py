"""A Django project with dj-stripe, as its documentation says to set it up; it runs in an environment of its own."""
