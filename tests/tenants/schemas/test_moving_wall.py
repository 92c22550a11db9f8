"""Row-level security hides nothing from whom it belongs to while rows move, and stands afterwards."""

from __future__ import annotations

import psycopg
import pytest

from tests.tenants.rows import A
from tests.tenants.schemas import moved

pytest_plugins = "tests.tenants.schemas.moved"


def test_the_wall_hides_nothing_from_its_owner_and_stands_afterwards(platform):
    forced = "SELECT relname FROM pg_class WHERE relforcerowsecurity ORDER BY 1"
    before = platform.execute(forced)
    assert ("stripe_charge",) in before
    with psycopg.connect(platform.url_of(platform.owner)) as owner:
        assert owner.execute("SELECT count(*) FROM stripe_charge").fetchone() == (0,)
    assert platform.to_schemas().code == 0
    assert len(platform.rows(A, A)["stripe_charge"]) == 3
    assert platform.execute(forced) == before


def test_a_wall_that_schemas_could_not_look_behind_is_to_be_taken_down_first(platform):
    assert platform.under_rows("-m", "django", "tenants_rls", "install").code == 0
    said = platform.to_schemas()
    assert said.code == 1
    assert "in public.connect_" in said.err
    assert "tenants_rls uninstall first" in said.err
    assert not platform.tables(A) | platform.tables("platform")


def test_whom_the_wall_hides_rows_from_is_refused(in_schemas):
    platform = in_schemas
    with platform.served(platform.role), pytest.raises(moved.CommandError, match="hides rows of"):
        moved.call_command("tenants_move", "--to", "schemas", "--verify")
    # One table is another's, whose policies hold this owner too: there is nothing to lift.
    platform.execute("ALTER TABLE public.stripe_charge NO FORCE ROW LEVEL SECURITY")
    platform.execute("ALTER TABLE public.stripe_charge OWNER TO CURRENT_USER")
    platform.execute(f'GRANT SELECT ON public.stripe_charge TO "{platform.owner}"')
    said = platform.to_schemas("--verify")
    assert said.code == 1
    assert "hides rows of public.stripe_charge from this role" in said.err
    platform.execute(f'ALTER TABLE public.stripe_charge OWNER TO "{platform.owner}"')
    assert platform.to_schemas("--verify").code == 0
