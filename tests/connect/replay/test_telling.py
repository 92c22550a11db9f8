"""`connect_replay`: what it says and asks, and how it tells how far it is."""

import io
import sys

import pytest
from django.core.management import CommandError
from django.core.management.base import OutputWrapper

from connect.models import InboxEvent
from connect.progress import Progress
from tests.conftest import customer
from tests.connect.replay.conftest import Terminal, replayed, run

pytestmark = pytest.mark.django_db(transaction=True)

# What is said and asked


def test_it_says_how_many_of_what_and_a_dry_run_leaves_it_at_that(inbox):
    before = list(InboxEvent.objects.order_by("id").values())
    said = run("--all", "--dry-run")
    assert "4 events, received from " in said
    assert "states: processed 3, failed 1" in said
    assert (
        "types: charge.refunded 1, charge.succeeded 1, customer.created 1, payout.failed 1" in said
    )
    assert "accounts: acct_A 2, platform 1, acct_B 1" in said
    assert "modes: test 3, live 1" in said
    assert list(InboxEvent.objects.order_by("id").values()) == before


def test_of_many_types_it_names_the_ten_most_frequent(deliver, kept):
    for number in range(12):
        deliver(f"made.up_{number:02}", {"id": "x_1", "object": "unheard_of"})
    types = run("--all", "--dry-run").partition("types: ")[2].partition("\n")[0]
    assert types.count("made.up") == 10
    assert types.endswith(", …")


@pytest.mark.parametrize(("answer", "numbers"), [("yes", [2]), ("y", [2]), ("no", []), ("", [])])
def test_on_a_terminal_it_asks_first(inbox, monkeypatch, capsys, answer, numbers):
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    if numbers:
        run("--state", "failed")
    else:
        with pytest.raises(CommandError, match="Nothing was changed"):
            run("--state", "failed")
    assert replayed() == numbers
    assert "Replay 1 event?" in capsys.readouterr().out


def test_with_no_input_it_does_not_ask(inbox, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    run("--state", "failed", "--no-input")
    assert replayed() == [2]


def test_nothing_that_fits_is_no_error(inbox):
    assert run("--account", "acct_Z") == "No event fits.\n"


# How it tells how far it is


def test_elsewhere_than_on_a_terminal_progress_is_lines(deliver, kept):
    deliver("customer.created", customer())
    said = run("--all", "--drain")
    assert "Put back: 1 of 1\n" in said
    assert "Worked off: 1 of 1\n" in said
    assert "\r" not in said


def test_on_a_terminal_progress_is_a_bar(deliver, kept):
    deliver("customer.created", customer())
    said = run("--all", "--drain", out=Terminal())
    assert f"\r[{'#' * 30}] Worked off: 1 of 1\n" in said


def test_progress_is_told_no_more_often_than_anybody_reads():
    out = io.StringIO()
    progress = Progress(OutputWrapper(out), "Done", 10)
    assert progress.is_due
    progress.tell(3)
    assert not progress.is_due
    progress.end(12)
    assert out.getvalue() == "Done: 3 of 10\nDone: 10 of 10\n"
