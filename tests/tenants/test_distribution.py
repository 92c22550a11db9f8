"""The layout over Citus: what it asks for is checked here on PostgreSQL's own catalog and parser, without Citus.

That Citus does what its SQL says is shown by the test marked `citus` alone, which needs CITUS_DATABASE_URL.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
import subprocess
import sys
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connections
from psycopg.conninfo import make_conninfo

import connect
from connect import PLATFORM
from django_stripe.charge.models import Charge
from django_stripe.database import ALIAS, write_with
from django_stripe.mirroring import mirror
from tenants.cursors import Preface
from tenants.distribution import (
    CannotDistribute,
    _refuse_failure,
    distributed_tables,
    plan_rows,
    problems,
)
from tenants.policies import account_tables
from tenants.signature import NO_BACKEND, rls_key, signed
from tenants.wall import carry, wall_in_all
from tests.tenants import rows
from tests.tenants.conftest import OWNER_ALIAS, databases
from tests.tenants.distribution.rules import (
    LOCKS_MANY,
    MOVED,
    NOT_IMMUTABLE,
    NOT_PUSHED_DOWN,
    UNNAMED,
    Rules,
)
from tests.tenants.rows import SEEN_BY_A, A, B

PRIMARY_KEY = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' AND conrelid = %s::regclass
"""
REPOSITORY = Path(__file__).parents[2]
NAMES = [table.name for table in distributed_tables()]
QUOTED = [table.quoted for table in distributed_tables()]
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
def copied(migrated, django_db_blocker):
    """A copy of the migrated database, to be changed."""
    copy = dataclasses.replace(migrated, name=f"{migrated.name}_citus")
    admin = make_conninfo(migrated.url, dbname=migrated.superuser["NAME"])
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(
            f'CREATE DATABASE "{copy.name}" TEMPLATE "{migrated.name}" OWNER "{copy.owner}"'
        )
        yield copy
        connection.execute(f'DROP DATABASE "{copy.name}" WITH (FORCE)')


@pytest.fixture
def on_citus(copied, settings, django_db_blocker):
    """The site with the settings for Citus, over a wall that was put up with them."""
    settings.TENANTS_ISOLATION = "rows"
    settings.TENANTS_RLS_OWNER = OWNER_ALIAS
    settings.TENANTS_CITUS = True
    entries = {ALIAS: copied.entry(copied.role), OWNER_ALIAS: copied.entry(copied.owner)}
    with django_db_blocker.unblock(), databases(**entries):
        wall_in_all()
        call_command("tenants_rls", "install", stdout=StringIO())
        yield copied
    write_with(psycopg.Cursor)
    copied.execute(f"TRUNCATE {', '.join(table.quoted for table in account_tables())}")


@pytest.fixture
def catalog(on_citus):
    """A connection as the owner, in a transaction that is rolled back: for bad tables."""
    connection = connections[OWNER_ALIAS]
    connection.ensure_connection()
    connection.set_autocommit(False)
    try:
        yield connection
    finally:
        connection.rollback()
        connection.set_autocommit(True)


def distribute(*arguments):
    out = StringIO()
    call_command("tenants_distribute", *arguments, stdout=out)
    return out.getvalue()


def run_what_postgresql_knows(on_citus):
    """Run the statements of the plan that are not calls of Citus."""
    steps = plan_rows(connections[OWNER_ALIAS], on_citus.role)
    with connections[OWNER_ALIAS].cursor() as cursor:
        for statement in [
            s for step in steps for s in step.statements if s.startswith("ALTER TABLE")
        ]:
            cursor.execute(statement)


def test_what_is_distributed_is_told_by_the_models_and_the_inbox_stays():
    assert {"stripe_charge", "stripe_account", "stripe_payout"} <= set(NAMES)
    local = {table.name for table in account_tables()} - set(NAMES)
    assert {"connect_inboxevent", "connect_lane"} <= local
    assert all(name.startswith("connect_") for name in local)


def test_the_real_tables_are_what_citus_asks_for(catalog):
    assert list(problems(catalog, QUOTED)) == []
    with catalog.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM unnest(%s::text[]) AS t WHERE to_regclass(t) IS NULL", [QUOTED]
        )
        assert cursor.fetchone() == (0,), "each of them was looked at"


BAD_TABLES = {
    "CREATE TABLE bad (connect_account_id text NOT NULL, n int, CONSTRAINT once UNIQUE (n))":
        "Table bad: the unique key once does not start with connect_account_id",
    "CREATE TABLE bad (connect_account_id text NOT NULL, n int, CONSTRAINT once UNIQUE (n, connect_account_id))":
        "Table bad: the unique key once does not start with connect_account_id",
    "CREATE TABLE bad (connect_account_id text NOT NULL, n int); CREATE UNIQUE INDEX once ON bad (n) WHERE n > 0":
        "Table bad: the unique key once does not start with connect_account_id",
    "CREATE TABLE bad (connect_account_id text NOT NULL, n text); CREATE UNIQUE INDEX once ON bad (lower(n))":
        "Table bad: the unique key once does not start with connect_account_id",
    "CREATE TABLE bad (id bigint PRIMARY KEY, connect_account_id text)":
        "Table bad: connect_account_id may be NULL",
    "CREATE TABLE bad (id int GENERATED BY DEFAULT AS IDENTITY, connect_account_id text NOT NULL)":
        "Table bad: the identity id is no bigint",
    "CREATE TABLE bad (id bigint PRIMARY KEY, connect_account_id text NOT NULL, "
    "parent bigint CONSTRAINT tie REFERENCES bad)":
        "Table bad: the foreign key tie to bad is not within an account",
    "CREATE TABLE other (a text, b text, UNIQUE (a, b)); CREATE TABLE bad (connect_account_id text NOT NULL, n text, "
    "CONSTRAINT tie FOREIGN KEY (connect_account_id, n) REFERENCES other (a, b))":
        "Table bad: the foreign key tie to other is not within an account",
    "CREATE TABLE bad (connect_account_id text NOT NULL, n text, UNIQUE (connect_account_id, n), "
    "CONSTRAINT tie FOREIGN KEY (n, connect_account_id) REFERENCES bad (connect_account_id, n))":
        "Table bad: the foreign key tie to bad is not within an account",
}  # fmt: skip


@pytest.mark.parametrize("sql", BAD_TABLES)
def test_a_table_that_citus_refuses_is_named_with_its_constraint(catalog, sql):
    with catalog.cursor() as cursor:
        cursor.execute(sql)
    (problem,) = problems(catalog, [*QUOTED, "bad"])
    assert problem.startswith(BAD_TABLES[sql])


def test_a_foreign_key_within_an_account_is_none_of_the_problems(catalog):
    with catalog.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE good (connect_account_id text NOT NULL, n text, m text, UNIQUE (connect_account_id, n), "
            "FOREIGN KEY (connect_account_id, m) REFERENCES good (connect_account_id, n))"
        )
    assert list(problems(catalog, ["good"])) == []


def test_the_plan_stops_at_a_table_that_citus_refuses(on_citus):
    on_citus.execute("CREATE UNIQUE INDEX once ON stripe_refund (stripe_id)")
    try:
        with pytest.raises(
            CommandError, match="Table stripe_refund: the unique key once does not start"
        ):
            distribute("--plan")
    finally:
        on_citus.execute("DROP INDEX once")


def test_the_plan_is_sql_that_names_each_table_once(on_citus):
    plan = distribute("--plan")
    assert re.findall(r'create_distributed_table\(\'"(\w+)"\'', plan) == NAMES
    first, *others = re.findall(r"create_distributed_table\(.*", plan)
    assert "colocate_with" not in first
    assert all(f"colocate_with => '\"{NAMES[0]}\"'" in line for line in others)
    statements = [line for line in plan.splitlines() if line.startswith("SELECT create_")]
    assert statements == [line for line in statements if line.endswith(";")]


def test_each_statement_of_the_plan_parses(on_citus):
    """PL/pgSQL parses what it does not come to run: functions that are not there are not looked up."""
    steps = plan_rows(connections[OWNER_ALIAS], on_citus.role)
    statements = [statement for step in steps for statement in step.statements]
    assert len(statements) >= 2 + 3 * len(NAMES)
    parse = "DO $parse$ BEGIN IF false THEN {}; END IF; END $parse$"
    for statement in statements:
        on_citus.execute(parse.format(statement.replace("%", "%%")))
    with pytest.raises(psycopg.errors.SyntaxError):
        on_citus.execute(parse.format("SELECT create_distributed_table('t' 'u' colocate_with)"))


def test_the_key_is_not_in_the_plan(on_citus):
    plan = distribute("--plan")
    for key in on_citus.execute(
        "SELECT encode(inner_block, 'hex'), encode(outer_block, 'hex') FROM tenants_rls.key"
    ):
        assert not [block for block in key if block in plan]


def test_what_a_worker_is_told_has_it_believe_the_same_signatures(on_citus, settings):
    """The command is run in another database, which has of all this nothing but the role."""
    steps = plan_rows(connections[OWNER_ALIAS], on_citus.role)
    (tell,) = [s for step in steps for s in step.statements if "run_command_on_workers" in s]
    ((command,),) = on_citus.execute(
        tell.replace("success, result FROM run_command_on_workers", "").replace("%", "%%")
    )
    worker = dataclasses.replace(on_citus, name=f"worker_{secrets.token_hex(4)}")
    on_citus.execute(f'CREATE DATABASE "{worker.name}"')
    try:
        worker.execute(command.replace("%", "%%"))
        worker.execute(command.replace("%", "%%"))
        assert worker.execute("SELECT count(*) FROM tenants_rls.key") == [(1,)]
        key = rls_key(settings.SECRET_KEY)
        as_site = make_conninfo(worker.url, user=worker.role, password=worker.password)
        with psycopg.connect(as_site) as site:
            for token, account in [
                (signed(A, key, NO_BACKEND), A),
                (signed(A, rls_key("another"), NO_BACKEND), None),
                (signed(A, key, site.info.backend_pid), None),
            ]:
                site.execute(f"SET LOCAL connect.account = '{token}'")
                assert site.execute("SELECT tenants_rls.account()").fetchone() == (account,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                site.execute("SELECT * FROM tenants_rls.key")
    finally:
        on_citus.execute(f'DROP DATABASE "{worker.name}" WITH (FORCE)')


def test_with_the_primary_keys_of_the_plan_the_mirror_writes_and_the_wall_holds(on_citus):
    """All of the plan that PostgreSQL knows of is run: nothing may rest on PRIMARY KEY (id)."""
    rows.fill()
    run_what_postgresql_knows(on_citus)
    keys = {name: on_citus.execute(PRIMARY_KEY, name)[0][0] for name in NAMES}
    assert set(keys.values()) == {"PRIMARY KEY (connect_account_id, id)"}
    assert on_citus.execute(PRIMARY_KEY, "connect_inboxevent") == [("PRIMARY KEY (id)",)]
    call_command("tenants_rls", "check", stdout=StringIO())

    before = rows.everything(on_citus.url)
    with connect.account(A):
        assert mirror([rows.snapshot(A, "ch_a1", 2)]).written == 0
        assert mirror([rows.snapshot(A, "ch_a9", 9)]).written == 1
        assert {c.stripe_id for c in Charge.objects.all()} == SEEN_BY_A | {"ch_a9"}
        charge = Charge.objects.for_account(A).get(stripe_id="ch_a9")
        charge.refresh_from_db()
        charge.origin = "event"
        charge.save()
        assert Charge.objects.for_account(A).get(origin="event") == charge
        assert charge.delete()[0] == 1
        with pytest.raises(ProgrammingError, match="row-level security"):
            mirror([rows.snapshot(B, "ch_b9")])
    assert rows.everything(on_citus.url) == before
    with connect.account(PLATFORM):
        assert Charge.objects.count() == 3
    assert Charge.objects.count() == 0


def test_a_plan_does_not_change_a_primary_key_twice(on_citus):
    run_what_postgresql_knows(on_citus)
    plan = distribute("--plan")
    assert "PRIMARY KEY" not in plan
    assert plan.count("create_distributed_table") == len(NAMES)


def test_the_account_is_sent_by_a_set_that_citus_passes_on(on_citus, settings):
    raw = connections[ALIAS]
    raw.ensure_connection()
    with connect.account(A):
        said = carry(raw.connection, ALIAS)
        token = r"[0-9a-f]{64} - \d+ acct_A"
        assert re.fullmatch(rf"SET LOCAL connect\.account = '{token}'", said.statement)
        assert not said.comment
    assert carry(raw.connection, ALIAS) == Preface("SET LOCAL connect.account = ''")
    settings.TENANTS_CITUS = False
    assert carry(raw.connection, ALIAS).comment == b"/*connect.account */\n"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"TENANTS_ISOLATION": None}, "TENANTS_ISOLATION is not set"),
        ({"TENANTS_CITUS": False}, "Set TENANTS_CITUS = True"),
        ({"TENANTS_RLS_BINDING": "backend"}, "A worker has another backend"),
        ({}, "has no extension citus"),
    ],
)
def test_what_keeps_it_from_running_is_told(on_citus, settings, changed, reason):
    for name, value in changed.items():
        setattr(settings, name, value)
    with pytest.raises(CommandError, match=reason):
        distribute()


def test_a_worker_that_fails_stops_it():
    with pytest.raises(CannotDistribute, match='did not do as it was told: ERROR:  role "site"'):
        _refuse_failure([(True, "DO"), (False, 'ERROR:  role "site" does not exist')])


def test_a_wall_that_was_put_up_for_one_machine_is_refused(on_citus, settings):
    settings.TENANTS_CITUS = False
    call_command("tenants_rls", "install", stdout=StringIO())
    settings.TENANTS_CITUS = True
    with pytest.raises(CommandError, match="The wall is not up, or not the one for Citus"):
        distribute("--plan")


def test_a_database_that_is_not_there_is_named():
    with pytest.raises(CommandError, match="There is no 'elsewhere' in DATABASES"):
        distribute("--database", "elsewhere")


def test_no_policy_has_a_subquery_which_citus_refuses(on_citus, settings):
    anywhere = (
        "SELECT count(*) FROM pg_policy WHERE concat(polqual, polwithcheck) LIKE '%%{SUBLINK%%'"
    )
    assert on_citus.execute(anywhere) == [(0,)]
    settings.TENANTS_CITUS = False
    call_command("tenants_rls", "install", stdout=StringIO())
    assert on_citus.execute(anywhere) == [(4 * len(account_tables()),)]


# The statements of the story.


def environment_of_the_shop(**more):
    left_out = (
        "DJANGO_SETTINGS_MODULE",
        "STRIPE_API_KEY",
        "TENANTS_ISOLATION",
        "CITUS_DATABASE_URL",
    )
    kept = {k: v for k, v in os.environ.items() if k not in left_out and not k.startswith("PYTEST")}
    return kept | more


def tell_the_story(file, **environment):
    command = [sys.executable, "-m", "tests.tenants.distribution.story", str(file)]
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment_of_the_shop(**environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


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


@pytest.mark.citus
@pytest.mark.parametrize("isolation", ["rows", "schemas"])
def test_the_smoke_story_holds_on_citus(isolation, tmp_path):
    """CITUS_DATABASE_URL: an empty database with the extension, on a coordinator with workers, for each run."""
    url = os.environ.get("CITUS_DATABASE_URL")
    if not url:
        pytest.skip(
            "CITUS_DATABASE_URL is not set: Citus is in no package index, and is not run here"
        )
    place = {"DATABASE_URL": url, "CITUS_DATABASE_URL": url, "TENANTS_ISOLATION": isolation}
    done = tell_the_story(tmp_path / "sent.json", **place)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["merchants"] == 3
    with psycopg.connect(url) as connection:
        spread = connection.execute("SELECT count(*) FROM pg_dist_partition").fetchone()
    assert spread is not None
    assert spread[0] >= len(NAMES)
