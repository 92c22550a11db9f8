"""The wall is put up, taken down, shown and inspected; what is not as it is to be is found and named."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connections

import connect
from django_stripe.charge.models import Charge
from django_stripe.database import ALIAS
from tenants.policies import account_tables
from tests.tenants.conftest import OWNER_ALIAS, databases
from tests.tenants.relay import pooler
from tests.tenants.rows import SEEN_BY_A, A

TABLES = [table.name for table in account_tables()]


def rls(*arguments):
    """Run the command; return what it says, and on standard error, and its exit status."""
    out, err, code = StringIO(), StringIO(), 0
    try:
        call_command("tenants_rls", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        err.write(str(error))
        code = error.returncode
    return out.getvalue(), err.getvalue(), code


def found(alias=ALIAS):
    """Return the ids of what the system checks say of the database."""
    return [
        m.id for m in run_checks(tags=["database"], databases=[alias]) if "tenants" in (m.id or "")
    ]


@pytest.fixture
def mended(serving):
    """The wall may be damaged: it is installed again afterwards."""
    yield serving
    with connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute("DROP POLICY IF EXISTS more ON stripe_charge")
    assert rls("install")[2] == 0


def test_every_table_with_an_account_is_walled(serving):
    assert {"stripe_charge", "stripe_account", "connect_inboxevent"} <= set(TABLES)
    there = serving.execute(
        "SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid "
        "WHERE attname = 'connect_account_id' AND relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
    )
    assert sorted(name for (name,) in there) == TABLES
    out, err, code = rls("check")
    assert (err, code) == ("", 0)
    assert serving.role in out
    assert found() == []


def test_installing_again_changes_nothing(serving):
    state = "SELECT oid::text, polname::text FROM pg_policy UNION ALL "
    state += "SELECT relname, array_to_string(relacl, ' ') FROM pg_class ORDER BY 1, 2"
    before = serving.execute(state)
    out, err, code = rls("install")
    assert out.splitlines() == [
        f"{len(TABLES)} tables keep the accounts apart for the role {serving.role}.",
        f"The wall holds the role {serving.role}.",
    ]
    assert (err, code) == ("", 0)
    assert serving.execute(state) == before


def test_the_list_says_how_each_table_is(mended):
    out, _, _ = rls("list")
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert sorted(lines.keys() - {"table"}) == TABLES
    assert lines["stripe_charge"] == ["yes", "yes", "ok", mended.owner]
    mended.execute("ALTER TABLE stripe_charge NO FORCE ROW LEVEL SECURITY")
    mended.execute("ALTER TABLE stripe_refund DISABLE ROW LEVEL SECURITY")
    mended.execute("DROP POLICY connect_insert ON stripe_refund")
    lines = {line.split()[0]: line.split()[1:4] for line in rls("list")[0].splitlines()}
    assert lines["stripe_charge"] == ["yes", "NO", "ok"]
    assert lines["stripe_refund"] == ["NO", "yes", "wrong"]


DAMAGES = {
    "ALTER TABLE stripe_charge DISABLE ROW LEVEL SECURITY": "Table stripe_charge is not protected: row-level",
    "ALTER TABLE stripe_charge NO FORCE ROW LEVEL SECURITY": "not protected from its owner",
    "DROP POLICY connect_select ON stripe_charge": "Policy connect_select of table stripe_charge is missing",
    "ALTER POLICY connect_select ON stripe_charge USING (true)": "connect_select of table stripe_charge differs",
    "ALTER POLICY connect_insert ON stripe_charge WITH CHECK (true)": "connect_insert of table stripe_charge differs",
    "ALTER POLICY connect_delete ON stripe_charge TO CURRENT_USER": "connect_delete of table stripe_charge differs",
    "CREATE POLICY more ON stripe_charge USING (true)": 'DROP POLICY "more" ON "stripe_charge"',
    "CREATE OR REPLACE FUNCTION tenants_rls.account() RETURNS text STABLE LANGUAGE sql BEGIN ATOMIC "
    "SELECT '*'::text; END": "The function tenants_rls.account() differs",
    "ALTER FUNCTION tenants_rls.account() SECURITY INVOKER": "The function tenants_rls.account() differs",
    "GRANT TRUNCATE ON stripe_charge TO <ROLE>": "has TRUNCATE on table stripe_charge",
    "GRANT UPDATE ON stripe_charge TO <ROLE>": 'has INSERT or UPDATE of "id"',
    "REVOKE INSERT ON stripe_charge FROM <ROLE>": 'lacks INSERT or UPDATE of "connect_account_id"',
    "REVOKE SELECT ON stripe_charge FROM <ROLE>": "lacks SELECT on table stripe_charge",
    "ALTER TABLE stripe_charge ADD connect_note text": None,
    "GRANT USAGE ON SCHEMA tenants_rls TO <ROLE>; GRANT SELECT ON tenants_rls.key TO <ROLE>": "can read the key",
    "CREATE ROLE a_group; GRANT USAGE ON SCHEMA tenants_rls TO a_group; GRANT SELECT ON tenants_rls.key TO a_group; "
    "ALTER ROLE <ROLE> NOINHERIT; GRANT a_group TO <ROLE>": "can read the key through its membership in a_group",
    "GRANT CREATE ON SCHEMA public TO <ROLE>": "has CREATE on SCHEMA public",
    "GRANT TEMPORARY ON DATABASE <DATABASE> TO <ROLE>": "has TEMPORARY on DATABASE",
    "GRANT CREATE ON DATABASE <DATABASE> TO <ROLE>": "has CREATE on DATABASE",
    "CREATE MATERIALIZED VIEW all_of_it AS SELECT * FROM stripe_charge; "
    "GRANT SELECT ON all_of_it TO <ROLE>": "can read all_of_it",
    "CREATE TABLE a_copy AS SELECT * FROM stripe_charge; GRANT SELECT ON a_copy TO <ROLE>": "can read a_copy",
    "CREATE VIEW all_seen AS SELECT * FROM stripe_charge; GRANT SELECT ON all_seen TO <ROLE>": "can read all_seen",
    "ALTER ROLE <ROLE> BYPASSRLS": "is BYPASSRLS",
    "ALTER ROLE <ROLE> SUPERUSER": "is SUPERUSER",
    "ALTER ROLE <ROLE> CREATEROLE": "is CREATEROLE",
    "ALTER ROLE <ROLE> REPLICATION": "is REPLICATION",
    "GRANT <OWNER> TO <ROLE>": "or is a member of the owner",
    "GRANT pg_read_all_data TO <ROLE>": "through its membership in pg_read_all_data",
}

MENDING = """
DROP MATERIALIZED VIEW IF EXISTS all_of_it; DROP TABLE IF EXISTS a_copy; DROP VIEW IF EXISTS all_seen;
ALTER TABLE stripe_charge DROP COLUMN IF EXISTS connect_note;
ALTER ROLE <ROLE> NOBYPASSRLS NOSUPERUSER NOCREATEROLE NOREPLICATION;
REVOKE <OWNER> FROM <ROLE>; REVOKE pg_read_all_data FROM <ROLE>;
REVOKE ALL ON SCHEMA public FROM <ROLE>; REVOKE ALL ON DATABASE <DATABASE> FROM <ROLE>;
REVOKE ALL ON tenants_rls.key FROM <ROLE>; ALTER ROLE <ROLE> INHERIT;
DO $$ BEGIN IF to_regrole('a_group') IS NOT NULL THEN DROP OWNED BY a_group; DROP ROLE a_group; END IF; END $$;
"""


@pytest.fixture
def damaged(mended):
    def run(sql):
        names = {"ROLE": mended.role, "OWNER": mended.owner, "DATABASE": mended.name}
        for name, value in names.items():
            sql = sql.replace(f"<{name}>", f'"{value}"')
        mended.execute(sql)

    yield run
    run(MENDING)


@pytest.mark.parametrize("sql", DAMAGES)
def test_a_hole_is_found_by_the_command_and_by_the_system_check(damaged, sql):
    damaged(sql)
    _, err, code = rls("check")
    expected = DAMAGES[sql]
    assert code == (1 if expected else 0), err
    assert (expected or "") in err
    assert bool({"tenants.E004", "tenants.E005"} & set(found())) is bool(expected)


def test_installing_mends_what_was_damaged(damaged):
    damaged("ALTER TABLE stripe_charge DISABLE ROW LEVEL SECURITY")
    damaged("ALTER POLICY connect_select ON stripe_charge USING (true)")
    damaged("ALTER FUNCTION tenants_rls.account() SECURITY INVOKER")
    damaged("GRANT ALL ON stripe_charge TO <ROLE>")
    damaged("GRANT CREATE ON SCHEMA public TO <ROLE>")
    assert rls("install")[2] == 0
    assert found() == []
    with connect.account(A):
        assert Charge.objects.count() == len(SEEN_BY_A)


def test_a_table_of_a_later_migration_is_found(mended):
    """Here: one that is made again, as a migration would make it."""
    mended.execute("ALTER TABLE stripe_payout RENAME TO earlier")
    mended.execute(
        f'CREATE TABLE stripe_payout (LIKE earlier INCLUDING ALL); ALTER TABLE stripe_payout OWNER TO "{mended.owner}"'
    )
    try:
        assert "Table stripe_payout is not protected" in rls("check")[1]
        assert "tenants.E004" in found()
        assert rls("install")[2] == 0
        assert "tenants.E004" not in found()
    finally:
        mended.execute("DROP TABLE stripe_payout; ALTER TABLE earlier RENAME TO stripe_payout")


def test_uninstalling_leaves_no_policy_and_no_key(mended):
    out, _, code = rls("uninstall")
    assert (out, code) == (
        f"{len(TABLES)} tables are no longer protected, and the key is gone.\n",
        0,
    )
    assert mended.execute("SELECT count(*) FROM pg_policy") == [(0,)]
    assert mended.execute("SELECT to_regnamespace('tenants_rls') IS NULL") == [(True,)]
    assert Charge.objects.count() == 9
    _, err, code = rls("check")
    assert code == 1
    assert err.count("is not protected") == len(TABLES)
    assert "tenants.E004" in found()
    assert rls("uninstall")[0].startswith("0 tables")


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("nobody_there", "There is no role"),
        ("<OWNER>", "No wall holds"),
        ("<SUPERUSER>", "SUPERUSER"),
    ],
)
def test_a_role_that_no_wall_holds_is_refused(serving, role, reason):
    names = {"<OWNER>": serving.owner, "<SUPERUSER>": serving.superuser["USER"]}
    _, err, code = rls("install", "--role", names.get(role, role))
    assert code == 1
    assert reason in err
    assert rls("check", "--role", names.get(role, role))[2] == 1
    assert rls("check")[2] == 0


def test_a_database_that_is_not_there_is_named(serving):
    assert "There is no 'elsewhere' in DATABASES" in rls("check", "--database", "elsewhere")[1]


def test_the_site_as_owner_or_superuser_fails_the_system_check(serving):
    for user in (serving.owner, serving.superuser["USER"]):
        with databases(**{ALIAS: serving.entry(user)}):
            assert "tenants.E005" in found()
    assert found(OWNER_ALIAS) == [], "the owner's own entry is there to migrate"


def test_statements_that_others_can_read_are_warned_of(serving):
    serving.execute(f'ALTER ROLE "{serving.role}" RESET track_activities')
    try:
        with databases(**{ALIAS: serving.entry(serving.role)}):
            assert found() == ["tenants.W001"]
    finally:
        serving.execute(f'ALTER ROLE "{serving.role}" SET track_activities = off')


def test_a_key_that_was_not_installed_is_found(serving, settings):
    settings.TENANTS_RLS_KEY = "another"
    assert found() == ["tenants.E006"]
    assert "does not believe what the site signs" in rls("check")[1]


def test_a_pooler_is_found_and_works_when_signatures_are_bound_to_time(serving, settings):
    asked = serving.superuser
    with pooler(asked["HOST"], asked["PORT"]) as port:
        entry = serving.entry(serving.role, HOST="127.0.0.1", PORT=str(port))
        with databases(**{ALIAS: entry}):
            assert found() == ["tenants.E006", "tenants.E006"]
            assert "TENANTS_RLS_BINDING = 'time'" in rls("check")[1]
            with connect.account(A):
                assert Charge.objects.count() == 0
        settings.TENANTS_RLS_BINDING = "time"
        try:
            with databases(**{ALIAS: entry}):
                assert rls("install")[2] == 1, "cursors in the server"
                assert found() == ["tenants.E006"]
            with databases(**{ALIAS: entry | {"DISABLE_SERVER_SIDE_CURSORS": True}}):
                assert found() == []
                with connect.account(A):
                    assert {c.stripe_id for c in Charge.objects.iterator()} == SEEN_BY_A
        finally:
            settings.TENANTS_RLS_BINDING = "backend"
            rls("install")
