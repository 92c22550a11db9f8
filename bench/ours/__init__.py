"""A Django project with this module, as the README says to set it up."""
