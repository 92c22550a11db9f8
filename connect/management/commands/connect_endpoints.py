"""Owns ``manage.py connect_endpoints``: the webhook endpoints at Stripe, as the code wants them."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import stripe
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from connect import conf
from connect.addresses import UnusableAddress
from connect.endpoints import ENDPOINTS_MAX, Found, Standing, Wanted, standing
from connect.endpoints_at_stripe import Endpoints, endpoints_at_stripe
from connect.secrets_file import SecretsFile, UnusableSecretsFile, fingerprint
from connect.wanted_endpoints import NothingToHear, wanted_endpoints
from connect.wanted_events import unknown_patterns, wanted_patterns
from django_stripe.client import client_for, describe
from django_stripe.conf import configured_modes

# As diff does: 0 no difference, 1 some, 2 trouble; a deployment is not to take one for another.
DRIFT: Final = 1
TROUBLE: Final = 2

Trouble = partial(CommandError, returncode=TROUBLE)


@dataclass(frozen=True, slots=True)
class Place:
    """One endpoint's standing, and the way to Stripe for its kind; `count` is how many of that kind there are."""

    standing: Standing
    endpoints: Endpoints
    count: int

    @property
    def name(self) -> str:
        return self.standing.name

    def configured(self) -> set[str]:
        return {fingerprint(secret) for secret in conf.webhook_secrets(self.name)}


class Command(BaseCommand):
    """https://docs.stripe.com/connect/webhooks"""

    help = (
        "Creates the webhook endpoints at Stripe, or updates them: for the platform's account, for connected accounts "
        "and, if a handler wants them, for thin events; each pinned to an API version, with the events of what is "
        "installed and handled. Never prints a secret. What is at other addresses is left alone. "
        "Exit status: 0, with --check 1 if something differs, 2 if it could not be done."
    )
    # They find fault with secrets that are missing or placeholders, which this command is here to get.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--base-url",
            help="where Stripe reaches the project (https://shop.example); default: the setting CONNECT_BASE_URL",
        )
        parser.add_argument(
            "--moved-from",
            metavar="URL",
            help="the base URL until now: endpoints there are moved here, and keep their secrets",
        )
        parser.add_argument(
            "--endpoint",
            action="append",
            choices=conf.ENDPOINTS,
            help="only this one (may be repeated); default: platform and connect, and thin if a handler wants it",
        )
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--live", action="store_true", help="use the live key")
        mode.add_argument("--test", action="store_true", help="use the test key")
        parser.add_argument(
            "--secrets-to",
            metavar="FILE",
            help="where the secrets of new endpoints are put, as STRIPE_WEBHOOK_SECRETS takes them: JSON that only "
            "you may read. Stripe tells a secret once, so nothing is created without it",
        )
        action = parser.add_mutually_exclusive_group()
        action.add_argument(
            "--check", action="store_true", help="say what differs and change nothing"
        )
        action.add_argument(
            "--rotate",
            choices=conf.ENDPOINTS,
            metavar="ENDPOINT",
            help="give this endpoint (platform, connect or thin) a new secret. Stripe's API cannot change one, so a "
            "second endpoint is made at the same address: until the first is retired, each event comes twice, and is "
            "kept once. Configure both secrets, deploy, then use --retire",
        )
        action.add_argument(
            "--retire",
            action="store_true",
            help="delete what the newest endpoint replaces, after a rotation or a change of the API version; refused "
            "until the newest's secret is in STRIPE_WEBHOOK_SECRETS. Stripe gives up what it could not deliver there "
            "yet. With --secrets-to, the old secrets are taken out of the file",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._run(options)
        except (
            UnusableAddress,
            UnusableSecretsFile,
            NothingToHear,
            ImproperlyConfigured,
        ) as error:
            raise Trouble(str(error)) from None
        except stripe.StripeError as error:
            raise Trouble(
                f"Stripe refused: {describe(error)}. What is said above is done."
            ) from None

    def _run(self, options: dict[str, Any]) -> None:
        for pattern in unknown_patterns(wanted_patterns()):
            self.stderr.write(
                f"No event type of stripe-python {stripe.VERSION} fits {pattern!r}, which a handler wants: "
                "Stripe may refuse it."
            )
        livemode = _livemode(options)
        wanted = wanted_endpoints(
            [options["rotate"]] if options["rotate"] else options["endpoint"],
            base_url=options["base_url"] or conf.base_url(),
            former_base_url=options["moved_from"],
            livemode=livemode,
        )
        places = _places(wanted, client_for(livemode=livemode))
        if options["check"]:
            self._check(places)
            return
        file = SecretsFile(Path(options["secrets_to"])) if options["secrets_to"] else None
        if options["retire"]:
            self._retire(places, file, dry_run=options["dry_run"])
        else:
            self._apply(places, file, rotate=options["rotate"], dry_run=options["dry_run"])

    def _check(self, places: list[Place]) -> None:
        drift = [
            f"{place.name}: {line}"
            for place in places
            for line in place.standing.drift(place.configured())
        ]
        for line in drift:
            self.stdout.write(line)
        if drift:
            raise CommandError(
                f"{len(drift)} of this is not as the code wants it.", returncode=DRIFT
            )
        self.stdout.write(f"As the code wants it: {', '.join(place.name for place in places)}.")

    def _apply(
        self, places: list[Place], file: SecretsFile | None, *, rotate: str | None, dry_run: bool
    ) -> None:
        creating = [place for place in places if rotate or place.standing.current is None]
        _expect_room(creating, rotate=rotate)
        if creating and not dry_run:
            if file is None:
                names = " and ".join(place.name for place in creating)
                raise Trouble(
                    f"There is to be a new endpoint for {names}, and Stripe tells its signing secret only then. Say "
                    "where to put it: --secrets-to FILE (it is never printed). Nothing was changed."
                )
            file.check()
        for place in places:
            current = place.standing.current
            if current is not None and not rotate:
                self._update(place, current, dry_run=dry_run)
            elif dry_run or file is None:
                self._say(place, f"would create {_described(place.standing.wanted)}")
            else:
                self._create(place, file)
        if creating and file and not dry_run:
            self.stdout.write(
                f"Put the secrets of {file.path} into STRIPE_WEBHOOK_SECRETS and deploy. Until then events are "
                "refused, and Stripe sends them again for three days."
            )

    def _create(self, place: Place, file: SecretsFile) -> None:
        wanted = place.standing.wanted
        endpoint_id, secret = place.endpoints.create(wanted)
        try:
            file.add(place.name, secret)
        except BaseException:
            # Nobody will ever know its secret.
            place.endpoints.delete(endpoint_id)
            raise
        self._say(
            place, f"created {endpoint_id}, {_described(wanted)}; its secret is in {file.path}"
        )
        place.endpoints.note_secret(endpoint_id, fingerprint(secret))
        current = place.standing.current
        for other in [*([current] if current else []), *place.standing.superseded]:
            self._say(
                place, f"{other.id} stays beside it, for --retire when the new secret is in use"
            )

    def _update(self, place: Place, current: Found, *, dry_run: bool) -> None:
        changes = place.standing.changes()
        if changes and not dry_run:
            place.endpoints.update(current, place.standing.wanted)
        for change in changes:
            self._say(
                place,
                f"{'would update' if dry_run else 'updated'} {current.id}, which was {change}",
            )
        if not changes:
            self._say(place, f"{current.id} is as the code wants it")
        for other in place.standing.superseded:
            why = place.standing.why_superseded(other)
            self._say(place, f"{other.id} {why}: it waits for --retire")

    def _retire(self, places: list[Place], file: SecretsFile | None, *, dry_run: bool) -> None:
        retiring = [place for place in places if place.standing.superseded]
        for place in retiring:
            _expect_successor(place)
        if file and not dry_run:
            file.check()
        for place in retiring:
            for other in place.standing.superseded:
                if dry_run:
                    self._say(place, f"would delete {other.id}")
                    continue
                place.endpoints.delete(other.id)
                self._say(place, f"deleted {other.id}; configure its secret no longer")
                if file:
                    file.forget(place.name, {other.secret_sha256})
        if not retiring:
            self.stdout.write("There is nothing to retire.")

    def _say(self, place: Place, text: str) -> None:
        self.stdout.write(f"{place.name}: {text}")


def _places(wanted: list[Wanted], client: stripe.StripeClient) -> list[Place]:
    places = []
    for one in wanted:
        endpoints = endpoints_at_stripe(client, one.name)
        found = endpoints.newest_first()
        places.append(Place(standing(one, found), endpoints, len(found)))
    return places


def _livemode(options: dict[str, Any]) -> bool:
    modes = configured_modes()
    if options["live"] or options["test"]:
        return bool(options["live"])
    if len(modes) > 1:
        raise Trouble(
            "STRIPE_API_KEY has a live and a test key: say which to use, --live or --test."
        )
    return next(iter(modes), False)


def _expect_room(creating: list[Place], *, rotate: str | None) -> None:
    """Refuse what would be refused half way."""
    for place in creating:
        if rotate and place.standing.several:
            raise Trouble(f"{place.name}: there are several already. First use --retire.")
        of_this_kind = [
            other for other in creating if (other.name == conf.THIN) == (place.name == conf.THIN)
        ]
        if place.count + len(of_this_kind) > ENDPOINTS_MAX:
            raise Trouble(
                f"{place.name}: Stripe allows {ENDPOINTS_MAX} endpoints, and {place.count} are there. Delete what is "
                "not used any more, in the dashboard or with --retire. Nothing was changed."
            )


def _expect_successor(place: Place) -> None:
    """Refuse to delete the endpoint whose deliveries are the only ones believed."""
    current = place.standing.current
    if current is None or place.standing.changes():
        raise Trouble(
            f"{place.name}: what is to replace the old endpoint is not there, or not as wanted. "
            "First use connect_endpoints without --retire."
        )
    if not current.secret_sha256:
        raise Trouble(
            f"{place.name}: {current.id} was not made by this command, so whether its secret is configured "
            "cannot be told. If it is, delete the others in Stripe's dashboard."
        )
    if current.secret_sha256 not in place.configured():
        raise Trouble(
            f"{place.name}: the secret of {current.id} is not in STRIPE_WEBHOOK_SECRETS here. Configure it, deploy, "
            "and come again."
        )


def _described(wanted: Wanted) -> str:
    version = f", API version {wanted.api_version}" if wanted.api_version else ""
    return f"an endpoint at {wanted.url} for {len(wanted.events)} types of event{version}"
