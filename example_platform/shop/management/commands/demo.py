"""Owns `manage.py demo`: the shop on this machine, with a Stripe, merchants and sales to look at."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from typing import Any, Final

import stripe
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from connect import conf
from connect.context import every_account
from connect.models import InboxEvent
from django_stripe.client import describe
from example_platform import places, serving, stand_in, story, unannounced
from example_platform.environment import DATA_DIRECTORY, ROOT, stripe_api_key

PORT: Final = 8000
PORTS_TRIED_MAX: Final = 20
USER: Final = "demo"
SCHEDULE_SECONDS: Final = 2.0
"""How often is seen to what a scheduler would see to."""


class Command(BaseCommand):
    help = (
        "Run the shop on http://127.0.0.1:8000 (or PORT), with a stand-in Stripe, or with Stripe's test mode if "
        "STRIPE_API_KEY is set. Ctrl-C stops it; its data stays."
    )
    # The webhook secrets are known only when the stand-in runs; then it checks.
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        places.prepare()
        with contextlib.ExitStack() as resources:
            shop = self.serve(resources)
            if stripe_api_key():
                self.begin_with_stripe(shop)
            else:
                self.begin_with_stand_in(resources, shop)
            self.check()
            with contextlib.suppress(KeyboardInterrupt):
                self.introduce(shop)
                while True:
                    time.sleep(SCHEDULE_SECONDS)
                    places.provision_connected()
            self.say("Stopping; the data stays.")

    def serve(self, resources: contextlib.ExitStack) -> str:
        """Serve on the wanted port, or on the next that is free."""
        wanted = os.environ.get("PORT", str(PORT))
        if not wanted.isdecimal() or not 0 < int(wanted) <= 65535 - PORTS_TRIED_MAX:
            raise CommandError(f"PORT is {wanted!r}: say a number such as {PORT}.")
        for port in range(int(wanted), int(wanted) + PORTS_TRIED_MAX):
            try:
                return resources.enter_context(serving.serving(port))
            except OSError as error:
                if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                    raise
                self.say(f"Port {port} is taken or not allowed; trying {port + 1}.")
        raise CommandError(f"None of {PORTS_TRIED_MAX} ports from {wanted} on is free: set PORT.")

    def begin_with_stand_in(self, resources: contextlib.ExitStack, shop: str) -> None:
        """Start a stand-in that knows the merchants of former days; the very first time, tell the story."""
        memory = stand_in.Memory.of_the_mirror()
        running = resources.enter_context(stand_in.running(memory))
        stand_in.use(running, shop)
        with every_account():
            is_told = InboxEvent.objects.exists()
        if is_told:
            self.say(f"{len(memory.accounts)} merchants are here from an earlier run.")
        else:
            self.say("The database is empty. This happens at the stand-in now:")
            story.play(
                running,
                lambda line: self.say(f"  {line}"),
                after_each=places.provision_connected,
            )
            unannounced.retrieve_platform()
        self.say(f"\nStripe   {running.url}: a stand-in. No money moves; enter nothing real.")

    def begin_with_stripe(self, shop: str) -> None:
        """See who is connected, and say how webhooks get here."""
        try:
            unannounced.retrieve_platform()
            count = unannounced.retrieve_accounts()
        except stripe.StripeError as error:
            raise CommandError(f"Stripe does not take STRIPE_API_KEY: {describe(error)}.") from None
        self.say(f"\nStripe   test mode, {count} connected account{'s' if count != 1 else ''}.")
        if all(conf.webhook_secrets(endpoint) for endpoint in conf.SNAPSHOT_ENDPOINTS):
            return
        self.say(
            f"""
No webhook is accepted yet: an endpoint's signing secret is missing. In another terminal, run
    stripe listen --forward-to {shop}/stripe/webhooks/platform/ \\
        --forward-connect-to {shop}/stripe/webhooks/connect/
and start the demo again with the secret that it prints, in both of
    STRIPE_WEBHOOK_SECRET_PLATFORM=whsec_… STRIPE_WEBHOOK_SECRET_CONNECT=whsec_…"""
        )

    def introduce(self, shop: str) -> None:
        """Say where to look, and let the reader into the admin."""
        password = secrets.token_urlsafe(9)
        user, _ = get_user_model().objects.get_or_create(
            username=USER, defaults={"is_staff": True, "is_superuser": True}
        )
        user.set_password(password)
        user.save()
        self.say(
            f"Shop     {shop}/  merchants and their charges. Make a sale, and see it come back."
        )
        self.say(f"Admin    {shop}/admin/  user {USER}, password {password} (new at every start)")
        self.say(f"Data     {_whereabouts()}")
        self.say("\nCtrl-C stops everything.")

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _whereabouts() -> str:
    database = settings.DATABASES["default"]
    socket = DATA_DIRECTORY / "socket"
    if socket.is_symlink() and str(socket.readlink()) == database["HOST"]:
        return f"{DATA_DIRECTORY.relative_to(ROOT)}, until `make clean`"
    return f"the database {database['NAME']} of DATABASE_URL"
