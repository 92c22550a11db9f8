"""Owns what the policies ask in the database: whose rows a statement reaches, and the keys to tell that with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tenants.conf import rls_binding
from tenants.policies import SCHEMA, fingerprint
from tenants.signature import NO_BACKEND, SECONDS_MAX
from tenants.wall import IN_FRONT, MARK, SETTING

ACCOUNT: Final = f"{SCHEMA}.account()"
BLOCK: Final = f"{SCHEMA}.block(text, boolean)"

SET_MARK: Final = "_" * (len(MARK) - 1) + " "
"""What the function puts before the setting: as long as MARK, with as many spaces, and another first letter."""

MESSAGE_MAX: Final = 512
"""Within how many characters from its beginning a message has named its account."""


def functions_sql(key_names: Iterable[str] = ()) -> tuple[str, str]:
    """Return the SQL of both functions, which believe the keys of these names."""
    return _block_sql(), _account_sql(key_names)


def wall_fingerprint() -> str:
    """Return what the functions are known by, whatever keys they believe."""
    return fingerprint("".join(functions_sql()))


def _block_sql() -> str:
    """Return the SQL of the function that reads a key, for the next one, once a session.

    It is called immutable: so PostgreSQL puts what it returns into the plans that a session keeps of the other. A
    key has another name than the key before it, so no plan has a wrong one.
    """
    return f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.block(key_name text, is_inner boolean) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found {SCHEMA}.key;
BEGIN
    SELECT * INTO found FROM {SCHEMA}.key WHERE name = key_name;
    IF found IS NULL THEN
        RAISE serialization_failure USING MESSAGE =
            'The key of the wall was replaced while this transaction ran. Run it again.';
    END IF;
    RETURN CASE WHEN is_inner THEN found.inner_block ELSE found.outer_block END;
END
$$
"""  # noqa: S608 - all that is put in is our own


def _account_sql(key_names: Iterable[str]) -> str:
    """Return the SQL of the function that says whose rows a statement reaches: NULL, none, without a true signature."""
    binding = rls_binding()
    backend = "pg_backend_pid()::text" if binding == "backend" else f"'{NO_BACKEND}'"
    seconds = SECONDS_MAX[binding]
    signature = len(MARK) + 1
    signed = f"convert_to(substr(said, {signature + 65}), 'UTF8')"
    places = MARK[0] + SET_MARK[0]
    signatures = ", ".join(
        f"encode(sha256({SCHEMA}.block('{name}', false) || sha256({SCHEMA}.block('{name}', true) || {signed})), 'hex')"
        for name in key_names
    )
    # What current_query() returns is the whole message that the site sent, whose beginning no injected SQL can change.
    # Not in SQL, which plans such a function at each statement, and without a query, which costs as much as all the
    # rest. Its names are looked up in pg_catalog, whatever path the caller has, and its plan, which has the key in it,
    # is shown to nobody. Only the leader may run it: a parallel worker has a process id of its own.
    return f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.account() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp SET debug_print_plan = off
AS $$
DECLARE
    said text := split_part(left(current_query(), {MESSAGE_MAX}), '*/', 1);
BEGIN
    IF starts_with(said, '{MARK}') IS NOT TRUE THEN
        said := '{SET_MARK}' || current_setting('{SETTING}', true);
    END IF;
    RETURN CASE WHEN substr(said, {signature}, 64) IN ({signatures}) THEN
        CASE WHEN split_part(said, ' ', 3) = translate(left(said, 1), '{places}', '{IN_FRONT}') || {backend}
            -- For as long as the transaction that it was signed in.
            AND to_timestamp(split_part(said, ' ', 4)::float8) BETWEEN
                transaction_timestamp() - interval '{seconds} s' AND statement_timestamp() + interval '{seconds} s'
        THEN split_part(said, ' ', 5) END
    END;
END
$$
"""
