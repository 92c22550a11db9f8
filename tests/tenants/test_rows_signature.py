"""PostgreSQL believes what the site signed, for the backend and the time it was signed for, and nothing else."""

from __future__ import annotations

import time

import psycopg
import pytest
from django.core.management import call_command
from django.test import override_settings

import connect
from connect.context import EVERY_ACCOUNT
from django_stripe.charge.models import Charge
from tenants.signature import NO_BACKEND, SECONDS_MAX, UnsignableAccount, padded, rls_key, signed
from tenants.wall import IN_FRONT
from tests.tenants.rows import OWN_OF_A, SEEN_BY_A, SEEN_BY_B, A, B

KEY = rls_key("tests")


@pytest.fixture
def raw(serving):
    """A connection of the serving role that carries what it is told to."""
    login = {"user": serving.role, "password": serving.password}
    with psycopg.connect(serving.url, **login) as connection:
        yield connection


def seen(raw, account, key, backend):
    """Return what is seen with the account signed in front of the statement, or as the setting: the same."""
    rows = seen_by_token(raw, signed(account, key, backend))
    assert seen_in_front(raw, signed(account, key, f"{IN_FRONT}{backend}")) == rows
    return rows


def seen_by_token(raw, token):
    with raw.transaction():
        raw.execute("SELECT set_config('connect.account', %s, true)", [token])
        return {row[0] for row in raw.execute("SELECT stripe_id FROM stripe_charge")}


def seen_in_front(raw, token):
    message = f"/*connect.account {token}*/\nSELECT stripe_id FROM stripe_charge"
    return {row[0] for row in raw.execute(message.encode())}


def test_a_signature_is_good_where_it_was_made_for_and_not_in_the_other_place(raw):
    """What stands in front of a message is kept in places that any SQL reads, and there no SQL but the site's comes."""
    backend = raw.info.backend_pid
    assert seen_by_token(raw, signed(A, KEY, f"{IN_FRONT}{backend}")) == set()
    assert seen_in_front(raw, signed(A, KEY, backend)) == set()


def test_what_stands_in_front_of_the_statement_counts_and_not_the_setting(raw):
    own = signed(A, KEY, raw.info.backend_pid)
    others = signed(B, KEY, f"{IN_FRONT}{raw.info.backend_pid}")
    with raw.transaction():
        raw.execute("SELECT set_config('connect.account', %s, true)", [own])
        for comment, reached in {
            f"/*connect.account {others}*/": SEEN_BY_B,
            "/*connect.account */": set(),
            f"/*connect.account {others[:-1]}*/": set(),
            f" /*connect.account {others}*/": SEEN_BY_A,
            f"/*x*/ /*connect.account {others}*/": SEEN_BY_A,
            f"SELECT 1; /*connect.account {others}*/": SEEN_BY_A,
        }.items():
            cursor = raw.execute(f"{comment} SELECT stripe_id FROM stripe_charge".encode())
            while cursor.nextset():
                pass
            assert {row[0] for row in cursor} == reached, comment


def test_an_account_of_any_length_is_read_from_a_message_of_any(raw):
    name = "acct_" + "x" * 250
    with connect.account(name):
        Charge.objects.create(
            connect_account_id=name, stripe_id="ch_long", data={"x": "y" * 1_000_000}
        )
        assert Charge.objects.get().stripe_id == "ch_long"
        Charge.objects.all().delete()


def at(monkeypatch, seconds):
    """Sign as if it were `seconds` from now."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)


def test_what_is_signed_for_this_backend_is_believed(raw):
    backend = raw.info.backend_pid
    assert seen(raw, A, KEY, backend) == SEEN_BY_A
    assert len(seen(raw, EVERY_ACCOUNT, KEY, backend)) == 8
    assert seen(raw, "", KEY, backend) == {"ch_for_a", "ch_for_b", "ch_own"}


def test_what_is_signed_for_another_or_by_another_is_not(raw):
    backend = raw.info.backend_pid
    for place, look in (("", seen_by_token), (IN_FRONT, seen_in_front)):
        own = signed(A, KEY, f"{place}{backend}")
        for token in (
            signed(A, KEY, f"{place}{backend + 1}"),
            signed(A, KEY, f"{place}{NO_BACKEND}"),
            signed(A, rls_key("another"), f"{place}{backend}"),
            own[:-1],
            own + "0",
            own.upper(),
            own.replace(A, "acct_B"),
            own.replace(A, "*"),
            own.replace(A, ""),
        ):
            assert look(raw, own) == SEEN_BY_A
            assert look(raw, token) == set(), token


@pytest.mark.parametrize("garbage", ["", " ", "*", "a b c", "* 0 ", "  ", "a\x01b x y", "ä " * 300])
def test_garbage_is_no_error_and_reaches_nothing(raw, garbage):
    assert seen_by_token(raw, garbage) == seen_in_front(raw, garbage) == set()


@pytest.mark.parametrize(
    ("seconds", "held"), [(-299, True), (-302, False), (299, True), (302, False)]
)
def test_a_signature_ages(raw, monkeypatch, seconds, held):
    # Signed by whole seconds, it is up to one older: here it is as old as is said, while the statements run.
    time.sleep(1 - time.time() % 1)
    at(monkeypatch, seconds)
    assert bool(seen(raw, A, KEY, raw.info.backend_pid)) is held


def test_a_signature_is_good_for_the_whole_of_the_transaction_it_was_made_in(raw, monkeypatch):
    """A statement that takes long, or a cursor that is read slowly, does not stop in the middle."""
    monkeypatch.setitem(SECONDS_MAX, "backend", 1)
    call_command("tenants_rls", "install")
    try:
        token = signed(A, KEY, raw.info.backend_pid)
        with raw.transaction():
            raw.execute("SELECT set_config('connect.account', %s, true), pg_sleep(2.5)", [token])
            assert raw.execute("SELECT count(*) FROM stripe_charge").fetchone() == (4,)
        assert seen_by_token(raw, token) == set()
    finally:
        monkeypatch.undo()
        call_command("tenants_rls", "install")


def test_keys_are_rotated_without_a_gap(serving, raw):
    backend = raw.info.backend_pid
    new = rls_key("new secret")
    with override_settings(SECRET_KEY="new secret", SECRET_KEY_FALLBACKS=["tests"]):
        call_command("tenants_rls", "install")
        assert seen(raw, A, new, backend) == seen(raw, A, KEY, backend) == SEEN_BY_A
    with override_settings(TENANTS_RLS_KEY="of its own", SECRET_KEY="tests"):
        call_command("tenants_rls", "install")
        assert seen(raw, A, rls_key("of its own"), backend) == SEEN_BY_A
        assert seen(raw, A, new, backend) == seen(raw, A, KEY, backend) == set()
    call_command("tenants_rls", "install")
    assert seen(raw, A, new, backend) == set()


@pytest.mark.parametrize("made_before", [True, False], ids=["made before", "not made yet"])
def test_the_key_is_in_no_plan_that_is_shown(raw, made_before):
    """A session may have its plans printed, and the one that is kept of the function has the key in it."""
    shown = []
    raw.autocommit = True
    raw.add_notice_handler(lambda notice: shown.append(notice.message_primary or ""))
    raw.add_notice_handler(lambda notice: shown.append(notice.message_detail or ""))
    if made_before:
        assert seen(raw, A, KEY, raw.info.backend_pid) == SEEN_BY_A
    raw.execute("SET client_min_messages = log; SET debug_print_plan = on")
    if made_before:
        assert seen(raw, A, KEY, raw.info.backend_pid) == SEEN_BY_A
    else:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the key of the wall"):
            raw.execute("SELECT stripe_id FROM stripe_charge")
    text = " ".join(" ".join(shown).split())
    for block in padded(KEY):
        signed_bytes = [byte - 256 if byte > 127 else byte for byte in block]
        for printed in (block.hex(), *(" ".join(map(str, some)) for some in (block, signed_bytes))):
            assert printed[:40] not in text
    assert "stripe_charge" in text, "plans are printed"


@pytest.mark.parametrize(
    "names",
    [["debug_print_plan"], ["auto_explain.log_verbose", "auto_explain.log_nested_statements"]],
    ids=["debug_print_plan", "auto_explain"],
)
def test_a_session_whose_first_plan_was_not_made_is_as_any_other_afterwards(raw, names):
    """PostgreSQL runs the function in another way then: plans of it may be made for one call, and be explained."""
    raw.autocommit = True
    for name in names:
        raw.execute(f"SET {name} = on")
    for _ in range(2):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the key of the wall"):
            raw.execute("SELECT stripe_id FROM stripe_charge")
    for name in names:
        raw.execute(f"RESET {name}")
    for mode in ("auto", "force_custom_plan"):
        raw.execute(f"SET plan_cache_mode = {mode}")
        for false in ("", f"{'a' * 64} #{raw.info.backend_pid} nan {A}"):
            assert seen_in_front(raw, false) == seen_by_token(raw, false) == set()
        assert seen(raw, A, KEY, raw.info.backend_pid) == SEEN_BY_A


def test_a_transaction_that_began_before_the_key_was_another_is_to_run_again(raw):
    """Not to read nothing, and go on so for the rest of the session."""
    raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    raw.execute("SELECT 1")
    with override_settings(SECRET_KEY="new secret"):
        call_command("tenants_rls", "install")
    new = signed(A, rls_key("new secret"), f"{IN_FRONT}{raw.info.backend_pid}")
    with pytest.raises(psycopg.errors.SerializationFailure, match="Run it again"):
        seen_in_front(raw, new)
    raw.rollback()
    assert seen_in_front(raw, new) == SEEN_BY_A
    raw.rollback()
    call_command("tenants_rls", "install")
    assert seen_in_front(raw, new) == set()


def test_a_function_of_the_same_name_in_front_of_postgresqls_own_is_not_asked(serving, raw):
    functions = {
        "sha256(bytea)": "''::bytea",
        "byteacat(bytea, bytea)": "''::bytea",
        "encode(bytea, text)": f"'{'a' * 64}'::text",
        "texteq(text, text)": "true::boolean",
    }
    serving.execute("CREATE SCHEMA hostile")
    try:
        # To the owner too, as whom the function runs: where he may not look, nothing is in front.
        serving.execute("GRANT USAGE ON SCHEMA hostile TO PUBLIC")
        for name, value in functions.items():
            serving.execute(
                f"CREATE FUNCTION hostile.{name} RETURNS {value.split('::')[1]} LANGUAGE sql IMMUTABLE AS "
                f"$$ SELECT {value} $$"
            )
        raw.execute("SET search_path = hostile, pg_catalog, public")
        raw.commit()
        false = f"{'a' * 64} #{raw.info.backend_pid} {int(time.time())} {B}"
        assert seen_in_front(raw, false) == set()
        assert seen(raw, A, KEY, raw.info.backend_pid) == SEEN_BY_A
    finally:
        raw.rollback()
        serving.execute("DROP SCHEMA hostile CASCADE")


def test_bound_to_time_a_signature_is_good_on_any_connection_and_soon_on_none(
    serving, raw, monkeypatch, settings
):
    settings.TENANTS_RLS_BINDING = "time"
    call_command("tenants_rls", "install")
    try:
        assert seen(raw, A, KEY, NO_BACKEND) == SEEN_BY_A
        assert seen(raw, A, KEY, raw.info.backend_pid) == set()
        at(monkeypatch, -SECONDS_MAX["time"] - 3)
        assert seen(raw, A, KEY, NO_BACKEND) == set()
    finally:
        settings.TENANTS_RLS_BINDING = "backend"
        call_command("tenants_rls", "install")


@pytest.mark.parametrize("name", ["*", "a b", "a'b", "acct_\n", "é"])
def test_what_is_no_account_is_not_signed(name):
    with pytest.raises(UnsignableAccount, match="Enter the context of an account"):
        signed(name, KEY, 1)


def test_writing_takes_a_signature_too(raw):
    with raw.transaction():
        token = signed(A, KEY, raw.info.backend_pid)
        raw.execute("SELECT set_config('connect.account', %s, true)", [token])
        assert raw.execute("UPDATE stripe_charge SET origin = ''").rowcount == len(OWN_OF_A)
    with raw.transaction():
        raw.execute("SELECT set_config('connect.account', %s, true)", [token[:-1]])
        assert raw.execute("UPDATE stripe_charge SET origin = ''").rowcount == 0
