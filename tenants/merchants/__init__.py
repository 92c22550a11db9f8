"""Merchants as django-tenants knows them: an app of its own, for projects that want it."""
