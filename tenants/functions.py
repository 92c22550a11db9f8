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

SIGNED_AT: Final = "pg_catalog.to_timestamp(pg_catalog.split_part(said, ' ', 4)::pg_catalog.float8)"


def functions_sql(key_names: Iterable[str] = ()) -> tuple[str, str]:
    """Return the SQL of both functions, which believe the keys of these names."""
    return _block_sql(), _account_sql(key_names)


def wall_fingerprint() -> str:
    """Return what the functions are known by, whatever keys they believe."""
    return fingerprint("".join(functions_sql()))


def _block_sql() -> str:
    """Return the SQL of the function that reads a key, for the other one, once a session.

    It is called immutable, so PostgreSQL puts what it returns into the plan that a session keeps of the other. Another
    key has another name, so no plan has a wrong one.
    """
    return f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.block(key_name text, is_inner boolean) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found {SCHEMA}.key;
BEGIN
    IF current_setting('debug_print_plan') = 'on'
        OR current_setting('auto_explain.log_nested_statements', true) = 'on'
        AND current_setting('auto_explain.log_verbose', true) = 'on'
    THEN
        RAISE insufficient_privilege USING MESSAGE =
            'The plan that is made here has the key of the wall in it, and would be shown. '
            'Turn debug_print_plan off, and auto_explain.log_nested_statements or its log_verbose.';
    END IF;
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
    seconds = SECONDS_MAX[binding]
    signature = len(MARK) + 1
    backend = f"'{NO_BACKEND}'"
    if binding == "backend":
        backend = "pg_catalog.pg_backend_pid()::pg_catalog.text"
    is_signed = " OR ".join(
        f"pg_catalog.texteq(pg_catalog.substr(said, {signature}, 64), {_hmac(name, signature + 65)})"
        for name in key_names
    )
    # What current_query() returns is the whole message that the site sent, whose beginning no injected SQL can change.
    # Not in SQL, which plans such a function at each statement, and without a query, which costs as much as all the
    # rest. All names are whole and there are no operators: whatever search path the caller has, it is not looked in,
    # and to SET one here costs more than the signature. Only the leader may run it: a parallel worker has a process id
    # of its own.
    return f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.account() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED
AS $$
DECLARE
    said pg_catalog.text := pg_catalog.split_part(
        pg_catalog.left(pg_catalog.current_query(), {MESSAGE_MAX}), '*/', 1);
BEGIN
    IF pg_catalog.starts_with(said, '{MARK}') IS NOT TRUE THEN
        said := pg_catalog.textcat('{SET_MARK}', pg_catalog.current_setting('{SETTING}', true));
    END IF;
    IF ({is_signed}) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    -- A statement of its own: in one, PostgreSQL may read the time of what is not signed beforehand.
    RETURN CASE WHEN pg_catalog.texteq(pg_catalog.split_part(said, ' ', 3), pg_catalog.textcat(
            pg_catalog.translate(pg_catalog.left(said, 1), '{MARK[0]}{SET_MARK[0]}', '{IN_FRONT}'), {backend}))
        -- For as long as the transaction that it was signed in.
        AND pg_catalog.timestamptz_ge({SIGNED_AT}, pg_catalog.timestamptz_mi_interval(
            pg_catalog.transaction_timestamp(), interval '{seconds} s'))
        AND pg_catalog.timestamptz_le({SIGNED_AT}, pg_catalog.timestamptz_pl_interval(
            pg_catalog.statement_timestamp(), interval '{seconds} s'))
    THEN pg_catalog.split_part(said, ' ', 5) END;
END
$$
"""


def _hmac(key_name: str, signed_from: int) -> str:
    """Return the SQL of the signature, in hex, of what is `said` from there on."""
    inner, outer = (f"{SCHEMA}.block('{key_name}', {is_inner})" for is_inner in ("true", "false"))
    signed = f"pg_catalog.convert_to(pg_catalog.substr(said, {signed_from}), 'UTF8')"
    within = f"pg_catalog.sha256(pg_catalog.byteacat({inner}, {signed}))"
    return f"pg_catalog.encode(pg_catalog.sha256(pg_catalog.byteacat({outer}, {within})), 'hex')"
