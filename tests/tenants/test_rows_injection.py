"""SQL injected into a view, as merchant A and with the worst of intents, reads nothing of B's."""

from __future__ import annotations

import re
from contextlib import contextmanager
from urllib.parse import quote

import psycopg
import pytest
from django.db import Error, connection
from django.test import Client

import connect
from django_stripe.charge.models import Charge
from tenants.conf import rls_secrets
from tenants.signature import padded, rls_key
from tenants.wall import carry
from tests.tenants.rows import SEEN_BY_B, A, B, everything, not_of

B_TOKEN = "set_config('connect.account', (regexp_match(query, '([0-9a-f]{64} #?[0-9]+ [0-9]+ acct_B)'))[1], true)"

ATTACKS = {
    "another condition": "' OR true --",
    "another table": "' UNION SELECT row_to_json(e)::text FROM connect_inboxevent e --",
    "another statement": "'; SELECT * FROM stripe_charge; SELECT * FROM stripe_customer --",
    "set_config": "'; SELECT set_config('connect.account', 'acct_B', true); SELECT * FROM stripe_charge --",
    "in the same statement": "' OR set_config('connect.account', 'acct_B', true) <> '' --",
    "for the session": "'; SELECT set_config('connect.account', 'acct_B', false); SELECT * FROM stripe_charge --",
    "one's own signature, for the session": "'; SELECT set_config('connect.account', "
    "split_part(substr(current_query(), 19), '*/', 1), false) --",
    "one's own setting, for the session": "' OR set_config('connect.account', "
    "current_setting('connect.account', true), false) <> '' --",
    "SET": "'; SET connect.account = 'acct_B'; SELECT * FROM stripe_charge --",
    "RESET": "'; RESET connect.account; SELECT * FROM stripe_charge --",
    "RESET ALL": "'; RESET ALL; SELECT * FROM stripe_charge --",
    "everybody": "'; SELECT set_config('connect.account', '*', true); SELECT * FROM stripe_charge --",
    "the platform": "'; SELECT set_config('connect.account', '', true); SELECT * FROM stripe_charge --",
    "one's own signature on another's name": "'; SELECT set_config('connect.account', "
    "replace(current_setting('connect.account'), 'acct_A', 'acct_B'), true); SELECT * FROM stripe_charge --",
    "one's own signature on everybody": "'; SELECT set_config('connect.account', "
    "replace(current_setting('connect.account'), 'acct_A', '*'), true); SELECT * FROM stripe_charge --",
    "another setting of that name": "'; SELECT set_config('Connect.Account', 'acct_B', true); "
    "SELECT * FROM stripe_charge --",
    "the owner": "'; SET ROLE <OWNER>; SELECT * FROM stripe_charge --",
    "a superuser": "'; SET SESSION AUTHORIZATION <SUPERUSER>; SELECT * FROM stripe_charge --",
    "nobody's role": "'; RESET ROLE; RESET SESSION AUTHORIZATION; SELECT * FROM stripe_charge --",
    "row security off": "'; SET row_security = off; SELECT * FROM stripe_charge --",
    "the table without": "'; ALTER TABLE stripe_charge DISABLE ROW LEVEL SECURITY; SELECT * FROM stripe_charge --",
    "a policy of one's own": "'; CREATE POLICY mine ON stripe_charge USING (true); SELECT * FROM stripe_charge --",
    "the function": "'; CREATE OR REPLACE FUNCTION tenants_rls.account() RETURNS text LANGUAGE sql AS "
    "$$ SELECT '*' $$; SELECT * FROM stripe_charge --",
    "a function in front of it": "'; CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS "
    "$$ SELECT $1 $$; SELECT * FROM stripe_charge --",
    "the key": "'; SELECT encode(inner_block, 'hex'), encode(outer_block, 'hex') FROM tenants_rls.key --",
    "the key, past the schema": "'; SET search_path = tenants_rls; TABLE key --",
    "the key, by the function that reads it": "'; SELECT encode(tenants_rls.block((regexp_match(prosrc, "
    "'block\\(''([0-9a-f]+)'))[1], true), 'hex') FROM pg_proc WHERE proname = 'account' --",
    "a role for it": "'; GRANT SELECT ON tenants_rls.key TO CURRENT_USER; TABLE tenants_rls.key --",
    "COPY": "'; COPY stripe_charge TO '/dev/null' --",
    "a program": "'; COPY (SELECT 1) TO PROGRAM 'true' --",
    "a comment": "'; /*connect.account acct_B*/ SELECT * FROM stripe_charge --",
    "what the message begins with": "'; SELECT set_config('connect.account', replace(split_part(substr("
    "current_query(), 19), '*/', 1), 'acct_A', 'acct_B'), true); SELECT * FROM stripe_charge --",
    "in the same statement, before it reads": "' UNION SELECT row_to_json(c)::text FROM "
    "(SELECT set_config('connect.account', 'acct_B', true) OFFSET 0) AS s, LATERAL "
    "(SELECT * FROM stripe_charge WHERE s.set_config <> '' OFFSET 0) AS c --",
    "DO": "'; DO $$ BEGIN PERFORM set_config('connect.account', 'acct_B', true); "
    "UPDATE stripe_charge SET origin = 'taken'; END $$; SELECT * FROM stripe_charge --",
    "a prepared statement": "'; PREPARE p AS SELECT * FROM stripe_charge; EXECUTE p --",
    "a held cursor": "'; DECLARE c CURSOR WITH HOLD FOR SELECT * FROM stripe_charge; FETCH ALL FROM c --",
    "a cursor that is run later": "'; BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT * FROM stripe_charge --",
    "what is prepared and declared": "'; SELECT statement FROM pg_prepared_statements UNION ALL "
    "SELECT statement FROM pg_cursors --",
    "settings that others live with": "'; SET debug_parallel_query = on; SET plan_cache_mode = force_custom_plan; "
    "SET standard_conforming_strings = off; SET client_encoding = 'SJIS'; SET transform_null_equals = on --",
    "another transaction": "'; COMMIT; BEGIN; SELECT * FROM stripe_charge --",
    "none": "'; ROLLBACK; SELECT * FROM stripe_charge --",
    "writing": "'; UPDATE stripe_charge SET origin = 'taken'; DELETE FROM stripe_charge WHERE "
    "connect_account_id = 'acct_B'; SELECT * FROM stripe_charge --",
    "moving rows here": "'; UPDATE stripe_charge SET connect_account_id = 'acct_A'; SELECT * FROM stripe_charge --",
    "planting rows": "'; UPDATE stripe_charge SET connect_account_id = 'acct_C' --",
    "giving rows to the platform": "'; UPDATE stripe_charge SET connect_account_id = '' --",
    "deleting": "'; DELETE FROM stripe_charge --",
    "emptying": "'; TRUNCATE stripe_charge --",
    "locking": "'; SELECT * FROM stripe_charge FOR UPDATE --",
    "statistics": "'; SELECT * FROM pg_stats WHERE tablename LIKE 'stripe%' AND schemaname = 'public' --",
    "the statements of others": "'; SELECT query FROM pg_stat_activity --",
    "replaying a signature": f"'; SELECT {B_TOKEN} FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND query LIKE '%acct_B*/%'; "
    "SELECT * FROM stripe_charge --",
    "replaying a signature in the same statement": "' UNION SELECT concat(s.token, row_to_json(c)) FROM "
    f"(SELECT {B_TOKEN} FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%acct_B*/%' OFFSET 0) "
    "AS s (token) LEFT JOIN LATERAL (SELECT * FROM stripe_charge WHERE s.token <> '' OFFSET 0) AS c ON true --",
    "a counted key": "'; INSERT INTO stripe_charge (id, connect_account_id, livemode, stripe_id, data, as_of, "
    "origin, event_id, leans_on_prior) SELECT <KEY_OF_B>, 'acct_A', false, 'ch_x', '{}', now(), '', '', false --",
    "a merge": "'; MERGE INTO stripe_charge t USING (SELECT 'acct_B' a) s ON t.connect_account_id = s.a "
    "WHEN MATCHED THEN UPDATE SET origin = 'taken' --",
}


@contextmanager
def b_busy_elsewhere(serving):
    """Another connection of the site's, on which B's signature was just used."""
    login = {"user": serving.role, "password": serving.password, "autocommit": True}
    with psycopg.connect(serving.url, **login) as other:
        with connect.account(B):
            statement = carry(other, "default").comment + b"SELECT stripe_id FROM stripe_charge"
        assert {row[0] for row in other.execute(statement)} == SEEN_BY_B
        yield statement.decode()


@pytest.fixture
def attacked(serving, settings):
    """The vulnerable site, where B is at work at the same time."""
    settings.ROOT_URLCONF = "tests.tenants.vulnerable"
    settings.MIDDLEWARE = []
    with b_busy_elsewhere(serving):
        yield serving


def told_of_b(text):
    """Return what of B's, or of the key, is in an answer."""
    blocks = [block.hex() for secret in rls_secrets() for block in padded(rls_key(secret))]
    theirs = ["ch_b1", "ch_b2", "ch_for_b", "ch_own", "cus_b", "2718281", "3141592"]
    return [word for word in [*theirs, *blocks] if word in text]


def attack(serving, sql, *, address="/"):
    names = {"OWNER": serving.owner, "SUPERUSER": serving.superuser["USER"], "KEY_OF_B": key_of_b()}
    for name, value in names.items():
        sql = sql.replace(f"<{name}>", str(value))
    return Client().get(f"{address}?status={quote(sql)}", headers={"Account": A}).content.decode()


def key_of_b():
    with connect.account(B):
        return Charge.objects.filter(connect_account_id=B).earliest("pk").pk


@pytest.mark.parametrize("address", ["/", "/atomic/", "/declared/"])
@pytest.mark.parametrize("name", ATTACKS)
def test_an_injection_reads_and_writes_nothing_of_others(attacked, name, address):
    before = not_of(A, everything(attacked.url))
    answer = attack(attacked, ATTACKS[name], address=address)
    assert not told_of_b(answer), answer
    connection.close()
    assert not_of(A, everything(attacked.url)) == before


@pytest.mark.parametrize("name", ATTACKS)
def test_an_injection_leaves_nothing_for_the_next_user_of_the_connection(attacked, name):
    attack(attacked, ATTACKS[name])
    for next_cursor in (connection.cursor, connection.chunked_cursor):
        with next_cursor() as cursor:
            try:
                cursor.execute("SELECT stripe_id FROM stripe_charge")
                seen = cursor.fetchall()
            except Error:  # left unusable is not left open
                return
        assert seen == []
    with connect.account(B):
        assert set(Charge.objects.values_list("stripe_id", flat=True)) == SEEN_BY_B


def test_the_view_is_as_vulnerable_as_it_looks(attacked):
    """Or the attacks above would show nothing."""
    assert "ch_a1" in attack(attacked, ATTACKS["another condition"])
    for address in ("/atomic/", "/declared/"):
        assert "ch_a1" in attack(attacked, ATTACKS["another condition"], address=address)
    own = attack(attacked, "'; UPDATE stripe_charge SET origin = 'mine'; TABLE stripe_charge --")
    assert "mine" in own
    attacked.execute("ALTER TABLE stripe_charge DISABLE ROW LEVEL SECURITY")
    try:
        assert told_of_b(attack(attacked, ATTACKS["another condition"]))
    finally:
        attacked.execute("ALTER TABLE stripe_charge ENABLE ROW LEVEL SECURITY")


def test_a_signature_that_can_be_read_is_worth_nothing_on_another_connection(attacked):
    """Where the role's statements are shown, as they are unless its track_activities is off."""
    connection.close()
    attacked.execute(f'ALTER ROLE "{attacked.role}" SET track_activities = on')
    try:
        with b_busy_elsewhere(attacked) as statement:
            (signature,) = re.findall(r"([0-9a-f]{64}) #[0-9]+ [0-9]+ acct_B", statement)
            assert signature in attack(attacked, ATTACKS["the statements of others"])
            in_statement = ATTACKS["replaying a signature in the same statement"]
            for answer in (
                attack(attacked, ATTACKS["replaying a signature"]),
                attack(attacked, in_statement),
                # Here nothing stands in front, and the setting counts.
                attack(attacked, in_statement, address="/declared/"),
            ):
                assert signature in answer
                assert not told_of_b(answer)
    finally:
        attacked.execute(f'ALTER ROLE "{attacked.role}" SET track_activities = off')


def test_a_table_in_front_of_the_real_one_cannot_be_made(attacked):
    for table in ("TEMP TABLE stripe_charge", "TABLE public.mine", "SCHEMA mine"):
        columns = "" if "SCHEMA" in table else " (LIKE public.stripe_charge)"
        assert "permission denied" in attack(attacked, f"'; CREATE {table}{columns} --")
