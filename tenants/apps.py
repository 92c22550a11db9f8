"""Owns what is installed with the tenants: the checks of how merchants are kept apart, and the wall itself."""

from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created


class TenantsConfig(AppConfig):
    """Merchants as tenants."""

    name = "tenants"
    label = "tenants"
    verbose_name = "Tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tenants import checks as own_checks  # noqa: PLC0415 - settings must be ready
        from tenants import schema_checks  # noqa: PLC0415
        from tenants.conf import isolation  # noqa: PLC0415
        from tenants.wall import wall_in, wall_in_all  # noqa: PLC0415

        checks.register(own_checks.check_isolation)
        checks.register(own_checks.check_wall, checks.Tags.database)
        checks.register(schema_checks.check_schemas)
        checks.register(schema_checks.check_middleware)
        checks.register(schema_checks.check_server, checks.Tags.database)
        connection_created.connect(wall_in, dispatch_uid="tenants.wall")
        if isolation() == "rows":
            wall_in_all()
        if isolation() == "schemas":
            from tenants.schemas import install  # noqa: PLC0415 - only here is django-tenants needed

            install()
