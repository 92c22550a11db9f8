"""What Citus asks of statements, checked on those of the smoke story, as PostgreSQL parses them."""

from __future__ import annotations

import json
import os
import re
import secrets

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.tenants.distribution.conftest import QUOTED, tell_the_story
from tests.tenants.distribution.rules import (
    LOCKS_MANY,
    MOVED,
    NOT_IMMUTABLE,
    NOT_PUSHED_DOWN,
    UNNAMED,
    Rules,
)

PARSED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)

# Statements that are about all accounts, or of none.
CROSSING = {
    "example_platform.verification.": "the smoke test compares everything there is",
    "example_platform.places.rows_everywhere": "as it does over the rows of all",
    "django_stripe.settling.due": "once a second a worker looks, over an index of the few rows that are due",
    "example_platform.shop.views.merchants": "the platform's own page lists its merchants",
}
# What Citus refuses, and the mirror still sends. None of these is about whose rows are found.
REFUSED = {}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Every statement of the story that touches a distributed table: (who asked, statement, the rules it breaks)."""
    url, name = os.environ["DATABASE_URL"], f"story_{secrets.token_hex(6)}"
    file = tmp_path_factory.mktemp("story") / "sent.json"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            place = make_conninfo(url, dbname=name)
            done = tell_the_story(file, DATABASE_URL=place)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
            with psycopg.connect(place, autocommit=True) as connection:
                yield list(judged(connection, json.loads(file.read_text())))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def judged(connection, sent):
    rules = Rules(connection, [*QUOTED, "shop_takings"])
    for who, text, forms in sent:
        for form in forms if PARSED.match(text) else ():
            if rules.touches(form):
                yield who, text, rules.broken_by(form)


def is_listed(who, names):
    return any(who == name or (name.endswith(".") and who.startswith(name)) for name in names)


def test_the_story_has_the_statements_of_the_mirror_the_shop_and_a_worker(story):
    askers = {who for who, *_ in story}
    assert {
        "django_stripe.mirroring._write_all",
        "django_stripe.ties.resolve",
        "django_stripe.settling.due",
        "example_platform.shop.models.TakingsManager.add",
    } <= askers
    assert any(who.startswith("example_platform.shop.page.") for who in askers)
    for name in ("stripe_charge", "stripe_account", "stripe_payout", "shop_takings"):
        assert [text for _, text, _ in story if re.search(rf'(INTO|UPDATE) "{name}"', text)]


def test_each_hot_query_names_its_account(story):
    unnamed = {who for who, _, broken in story if UNNAMED in broken}
    assert {who for who in unnamed if not is_listed(who, CROSSING)} == set()


def test_no_query_of_the_story_sets_the_key(story):
    assert [(who, text) for who, text, broken in story if MOVED in broken] == []


def test_what_citus_would_refuse_is_what_is_written_down(story):
    refused = {(who, rule) for who, _, broken in story for rule in broken - {UNNAMED}}
    assert refused <= REFUSED.keys()
    # Once the mirror is changed, the list and the page of the documentation are to be too.


@pytest.fixture(scope="module")
def rules(copied):
    with psycopg.connect(copied.url, autocommit=True) as connection:
        yield Rules(connection, QUOTED)


STATEMENTS = {
    "SELECT * FROM stripe_charge WHERE stripe_id = 'ch_1'": {UNNAMED},
    "SELECT * FROM stripe_charge WHERE connect_account_id > 'acct_A'": {UNNAMED},
    "SELECT * FROM stripe_charge WHERE connect_account_id <> 'acct_A'": {UNNAMED},
    "SELECT * FROM stripe_charge WHERE NOT connect_account_id = 'acct_A'": {UNNAMED},
    "SELECT * FROM stripe_charge WHERE connect_account_id = 'acct_A' OR amount = 1": {UNNAMED},
    "SELECT * FROM stripe_charge c LEFT JOIN stripe_payout p ON c.connect_account_id = 'acct_A'": {
        UNNAMED
    },
    "SELECT 1 WHERE EXISTS (SELECT FROM stripe_charge)": {UNNAMED},
    "WITH c AS (SELECT * FROM stripe_charge) SELECT * FROM c WHERE connect_account_id = 'acct_A'": {
        UNNAMED
    },
    "SELECT * FROM stripe_charge UNION ALL SELECT * FROM stripe_charge WHERE connect_account_id = ''": {
        UNNAMED
    },
    "DELETE FROM stripe_charge WHERE id = 1": {UNNAMED},
    "UPDATE stripe_charge SET origin = '' WHERE id = 1": {UNNAMED},
    "INSERT INTO stripe_charge (stripe_id) VALUES ('ch_1')": {UNNAMED},
    "UPDATE stripe_charge SET connect_account_id = 'acct_B' WHERE connect_account_id = 'acct_A'": {
        MOVED
    },
    "INSERT INTO stripe_charge (connect_account_id, livemode, stripe_id) VALUES ('acct_A', false, 'ch_1') "
    "ON CONFLICT (connect_account_id, livemode, stripe_id) DO UPDATE SET connect_account_id = ''": {
        MOVED
    },
    "INSERT INTO stripe_charge (connect_account_id, livemode, stripe_id) VALUES ('acct_A', false, 'ch_1') "
    "ON CONFLICT (connect_account_id, livemode, stripe_id) DO UPDATE SET updated_at = now()": {
        NOT_IMMUTABLE
    },
    "INSERT INTO stripe_charge AS t (connect_account_id, livemode, stripe_id) VALUES ('acct_A', false, 'ch_1') "
    "ON CONFLICT (connect_account_id, livemode, stripe_id) DO UPDATE SET origin = '' "
    "WHERE date_trunc('second', excluded.as_of) > t.as_of": {NOT_IMMUTABLE},
    "UPDATE stripe_charge SET as_of = clock_timestamp() WHERE connect_account_id = 'acct_A'": {
        NOT_PUSHED_DOWN
    },
    "UPDATE stripe_charge SET as_of = as_of + '1 day'::interval WHERE connect_account_id = 'acct_A'": {
        NOT_PUSHED_DOWN
    },
    "SELECT * FROM unnest(ARRAY['acct_A']) AS x JOIN stripe_charge AS t ON t.connect_account_id = x "
    "FOR UPDATE OF t": {LOCKS_MANY},
    "SELECT * FROM stripe_charge WHERE connect_account_id IN ('acct_A', 'acct_B') FOR UPDATE": {
        LOCKS_MANY
    },
    "SELECT * FROM stripe_charge WHERE connect_account_id = 'acct_A' FOR UPDATE": set(),
    "SELECT * FROM stripe_charge WHERE connect_account_id IN ('acct_A', 'acct_B')": set(),
    "SELECT * FROM stripe_charge WHERE connect_account_id = 'acct_A' OR connect_account_id = '' AND amount = 1": set(),
    "SELECT * FROM unnest(ARRAY['acct_A']) AS x JOIN stripe_charge AS t ON t.connect_account_id = x": set(),
    "UPDATE stripe_charge SET as_of = now() WHERE connect_account_id = 'acct_A'": set(),
    "DELETE FROM stripe_charge WHERE ('acct_A', 1) = (connect_account_id, id)": set(),
    "SELECT * FROM connect_inboxevent ORDER BY id": set(),
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_is_judged_by_what_it_does(rules, statement):
    assert rules.broken_by(statement) == STATEMENTS[statement]
