"""Owns `manage.py smoke`: the story without a browser, on a database of its own, and then everything compared."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import BaseCommand

import connect
from connect import PLATFORM
from connect.context import every_account
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from django_stripe.database import ALIAS
from example_platform import places, serving, stand_in, story, unannounced, verification
from example_platform.stand_in import StandIn
from tenants.conf import isolation

PROBLEMS_SHOWN_MAX: Final = 20


class Command(BaseCommand):
    help = (
        "Play the shop's story against a stand-in Stripe, with deliveries that are signed, repeated and shuffled, "
        "then compare the database with the stand-in. The last line is a JSON object; exits 0 only if all is well."
    )
    # The webhook secrets are known only when the stand-in runs; then it checks.
    requires_system_checks: Any = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--tamper",
            action="store_true",
            help="change one row and give one to another merchant before comparing: it has to fail",
        )

    def handle(self, *args: Any, tamper: bool, **options: Any) -> None:
        began = time.monotonic()
        places.prepare()
        self.say(f"A database of its own is migrated; isolation: {isolation()}.")
        with stand_in.running() as stripe, serving.serving() as shop:
            self.say(f"The stand-in Stripe is at {stripe.url}, the shop at {shop}.")
            stand_in.use(stripe, shop)
            self.check(databases=[ALIAS])
            cast = story.play(stripe, self.say, unruly=True, after_each=places.provision_connected)
            unannounced.retrieve_platform()
            unannounced.retrieve_balance_transactions(PLATFORM)
            for account in cast.merchants:
                unannounced.retrieve_balance_transactions(account)
            if tamper:
                self.say(f"Tampered with {', '.join(_tamper(*list(cast.merchants)[:2]))}.")
            with every_account():
                facts, problems = _compare(stripe)
        facts["seconds"] = round(time.monotonic() - began, 1)
        for kind, found in problems.items():
            for problem in found[:PROBLEMS_SHOWN_MAX]:
                self.say(f"{kind}: {problem}")
            if len(found) > PROBLEMS_SHOWN_MAX:
                self.say(f"{kind}: and {len(found) - PROBLEMS_SHOWN_MAX} more")
        self.say(json.dumps(facts))
        sys.exit(1 if any(problems.values()) else 0)

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _compare(stripe: StandIn) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the facts for the last line, and by kind what is wrong."""
    truth = verification.Truth.of(stripe.state())
    attempts = stripe.ask("deliveries")
    delivered = [a for a in attempts if a["outcome"] == "delivered"]
    # An attempt without a status was not answered in time, and made again.
    refused = [a for a in attempts if a["outcome"] != "delivered" and a["status"]]
    problems = {
        "mismatches": [*verification.mismatches(truth), *verification.hidden(truth)],
        "leaks": list(verification.leaks(truth)),
        "miscounts": list(verification.miscounts(truth)),
        "unreceived": list(verification.unreceived(truth)),
        "unsettled": list(verification.unsettled()),
        "refused": [f"event {a['event']} was answered {a['status']}" for a in refused],
    }
    ties, asked = verification.ties(), verification.asked()
    facts = {
        "isolation": isolation(),
        "merchants": len(truth.accounts),
        "events_delivered": len(delivered),
        "events_unique": len({(a["account"], a["event"]) for a in delivered}),
        "rows": verification.rows(),
        "ties": ties,
        "ties_decided": ties - asked,
        "asked": asked,
    }
    return facts | {kind: len(found) for kind, found in problems.items()}, problems


def _tamper(account: str, other: str) -> Iterator[str]:
    """Do to the mirror what must never happen; yield the ids of the rows."""
    with connect.account(account):
        charge = Charge.objects.alive().for_account(account).earliest("pk")
        Charge.objects.filter(pk=charge.pk).update(data=charge.data | {"amount": 1})
    yield charge.stripe_id
    # Where each merchant has a schema, it takes in no row of another.
    if isolation() != "schemas":
        with every_account():
            customer = Customer.objects.alive().for_account(other)[0]
            Customer.objects.filter(pk=customer.pk).update(connect_account_id=account)
        yield customer.stripe_id
