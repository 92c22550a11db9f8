from django.core.management.base import BaseCommand, CommandError

from django_stripe.charge.models import Charge


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--some", action="store_true")

    def handle(self, *args, **options):
        count = Charge.objects.count()
        if options["some"] and not count:
            raise CommandError("none")
        self.stdout.write(str(count))
