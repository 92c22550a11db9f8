"""`connect_replay`: have stored events processed once more."""

from __future__ import annotations

import re
import sys
from array import array
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Max, Min, QuerySet
from django.utils import timezone

from connect import conf
from connect.context import every_account
from connect.models import InboxEvent
from connect.progress import Progress
from connect.replay import (
    Forgetting,
    Selection,
    ambiguous_ids,
    count_waiting,
    drain,
    missing_ids,
    replay,
    states_of,
)
from connect.router import routes
from connect.signals import listened_to
from django_stripe.conf import mode_name

AGO: Final = re.compile(r"(\d{1,4})([smhdw])")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LISTED_MAX: Final = 10
PLATFORM: Final = "platform"
TITLES: Final = {
    "state": "states",
    "type": "types",
    "connect_account_id": "accounts",
    "livemode": "modes",
}


class Command(BaseCommand):
    """Replay: what is selected is received again, in the order of its lane."""

    help = (
        "Has stored events processed once more, from the mirror on. Give at least one option that selects, or --all; "
        "an event is taken if it fits all of them, and of an option given several times any value. Parked and "
        "ignored events are only taken by --event or --state. Handlers that are done with an event are not called "
        "again, unless --handler or --handlers-again says so."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_argument_group("which events")
        which.add_argument("--event", nargs="+", action="extend", metavar="ID", help="evt_…")
        which.add_argument(
            "--account", action="append", metavar="ACCOUNT", help="acct_…, or platform"
        )
        mode = which.add_mutually_exclusive_group()
        mode.add_argument(
            "--livemode", "--live", dest="livemode", action="store_true", default=None
        )
        mode.add_argument("--test", dest="livemode", action="store_false", default=None)
        which.add_argument("--state", action="append", choices=InboxEvent.State.values)
        which.add_argument(
            "--type",
            action="append",
            metavar="PATTERN",
            help="a type (payout.failed) or a prefix (charge.*)",
        )
        which.add_argument(
            "--since",
            metavar="TIME",
            help="received then or later: ISO 8601, or so long ago (30m, 2h, 3d)",
        )
        which.add_argument("--until", metavar="TIME", help="received before")
        which.add_argument("--endpoint", choices=conf.ENDPOINTS)
        which.add_argument("--all", action="store_true", help="all but parked and ignored events")
        parser.add_argument(
            "--handler",
            action="append",
            metavar="NAME",
            help="call this handler again, by the name that the inbox remembers it by (may be repeated)",
        )
        parser.add_argument(
            "--handlers-again", action="store_true", help="call every handler again"
        )
        parser.add_argument("--drain", action="store_true", help="process them here and now")
        parser.add_argument("--dry-run", action="store_true", help="say what would be replayed")
        parser.add_argument(
            "--no-input",
            "--noinput",
            dest="interactive",
            action="store_false",
            help="ask nothing",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        selection = _selection(options)
        if selection == Selection() and not options["all"]:
            raise CommandError(
                "Nothing is selected. Say which events (--state failed, --since 2h, …; see --help), or --all."
            )
        forgetting = Forgetting(
            names=tuple(options["handler"] or ()), everyone=options["handlers_again"]
        )
        _expect_handlers(forgetting)
        with every_account():
            self._replay(selection, forgetting, options)

    def _replay(
        self, selection: Selection, forgetting: Forgetting, options: dict[str, Any]
    ) -> None:
        _expect_ids(selection)
        total = self._describe(selection.rows())
        if forgetting and total:
            self.stderr.write(
                "Handlers are called again for events that they are done with: what they do outside of this database "
                "(mails, calls to Stripe) happens again, unless they use the event's id as idempotency key."
            )
        if options["dry_run"] or not total:
            return
        if options["interactive"] and sys.stdin.isatty():
            answer = input(f"Replay {_events(total)}? Type yes to go on: ")
            if answer.strip().lower() not in {"y", "yes"}:
                raise CommandError("Nothing was changed.")
        ids = array("q")
        progress = Progress(self.stdout, "Put back", total)
        for batch in replay(selection, forgetting):
            ids.extend(batch)
            if progress.is_due:
                progress.tell(len(ids))
        progress.end(len(ids))
        if options["drain"] or conf.processes_inline():
            self._drain()
            states = ", ".join(f"{count:,} {state}" for state, count in states_of(ids).items())
            self.stdout.write(f"Of these, now: {states}.")
        else:
            self.stdout.write("Workers (connect_worker) process them.")

    def _drain(self) -> None:
        """Process all that waits: also what waited before, for a lane is worked in its order."""
        total = count_waiting()
        progress = Progress(self.stdout, "Worked off", total)

        def tell() -> None:
            if progress.is_due:
                progress.tell(total - count_waiting())

        drain(between_steps=tell)
        progress.end(total - count_waiting())

    def _describe(self, rows: QuerySet[InboxEvent]) -> int:
        """Say what is selected; return how many."""
        span = rows.aggregate(events=Count("id"), first=Min("received_at"), last=Max("received_at"))
        total: int = span["events"]
        if not total:
            self.stdout.write("No event fits.")
            return 0
        self.stdout.write(
            f"{_events(total)}, received from {span['first']:%Y-%m-%d %H:%M:%S} to "
            f"{span['last']:%Y-%m-%d %H:%M:%S} UTC"
        )
        for column in ("state", "type", "connect_account_id", "livemode"):
            counts = rows.values_list(column).annotate(events=Count("id"))
            top = list(counts.order_by("-events", column)[: LISTED_MAX + 1])
            names = [f"{_name(column, value)} {count:,}" for value, count in top[:LISTED_MAX]]
            more = ", …" if len(top) > LISTED_MAX else ""
            self.stdout.write(f"  {TITLES[column]}: {', '.join(names)}{more}")
        return total


def moment(text: str) -> datetime:
    """Return the time that `text` says: ISO 8601, in the project's time zone if it names none; or so long ago."""
    if ago := AGO.fullmatch(text):
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text!r} is no time. Give ISO 8601 (2027-01-31T12:00Z), or so long ago (30m, 2h, 3d)."
        ) from None
    return at if at.tzinfo else timezone.make_aware(at)


def _selection(options: dict[str, Any]) -> Selection:
    if "" in (options["account"] or ()):
        raise CommandError("--account is empty. The platform is called: --account platform.")
    selection = Selection(
        event_ids=tuple(dict.fromkeys(options["event"] or ())),
        accounts=tuple("" if a == PLATFORM else a for a in options["account"] or ()),
        livemode=options["livemode"],
        states=tuple(options["state"] or ()),
        types=tuple(options["type"] or ()),
        since=moment(options["since"]) if options["since"] else None,
        until=moment(options["until"]) if options["until"] else None,
        endpoint=options["endpoint"],
    )
    try:
        selection.rows()
    except ValueError as error:
        raise CommandError(str(error)) from None
    return selection


def _expect_ids(selection: Selection) -> None:
    if missing := missing_ids(selection):
        raise CommandError(f"No event fits that has the id {', '.join(missing)}.")
    if several := ambiguous_ids(selection):
        raise CommandError(
            f"Several events have the id {', '.join(several)}: an id is unique in its account and mode alone. "
            "Say which with --account, --live or --test."
        )


def _expect_handlers(forgetting: Forgetting) -> None:
    known = [route.name for route in routes()] + [f"signal {name}" for name in listened_to()]
    for name in forgetting.names:
        if name not in known:
            raise CommandError(
                f"There is no handler {name!r}. There are: {', '.join(known) or 'none'}."
            )


def _events(number: int) -> str:
    return f"{number:,} event{'' if number == 1 else 's'}"


def _name(column: str, value: Any) -> str:
    if column == "livemode":
        return mode_name(value)
    return str(value) or PLATFORM
