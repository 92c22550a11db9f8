"""What Citus asks of a statement on distributed tables, checked on the statement as PostgreSQL has parsed it.

The rules are those of its planner: `multi_router_planner.c` and `insert_select_planner.c`, which raise these errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from tests.tenants.distribution.parse_tree import nodes, nodes_of_query, parse

TEXT_EQUALS = "98"  # pg_operator: texteq; the key is a varchar, which is compared as text
SELECT, UPDATE, INSERT, DELETE = "1", "2", "3", "4"

UNNAMED = "does not name its account"
MOVED = "sets the key"
NOT_IMMUTABLE = "its ON CONFLICT has a function that is not IMMUTABLE"
NOT_PUSHED_DOWN = (
    "its UPDATE has a function that is VOLATILE, or STABLE over columns, in CASE or COALESCE"
)
LOCKS_MANY = "locks rows of an account that it names by a join only"

VOLATILITY = "SELECT oid::text, provolatile FROM pg_proc"
KEYS = """
SELECT attrelid::text, attnum::text FROM pg_attribute
WHERE attname = 'connect_account_id' AND attrelid = ANY (%s::regclass[])
"""


class Rules:
    """The rules, for `tables` of a database."""

    def __init__(self, connection: psycopg.Connection[Any], tables: Iterable[str]) -> None:
        self.connection = connection
        self.volatility = dict(connection.execute(VOLATILITY).fetchall())
        # By the number of a table, that of its key.
        self.keys: dict[str, str] = dict(connection.execute(KEYS, [[*tables]]).fetchall())

    def touches(self, statement: str) -> bool:
        """Say whether `statement` is about a distributed table."""
        return any(self._tables(query) for query in parse(self.connection, statement))

    def broken_by(self, statement: str) -> set[str]:
        """Return which rules `statement` breaks."""
        return {
            problem
            for query in parse(self.connection, statement)
            for problem in self._broken(query)
        }

    def _tables(self, query: dict[str, Any]) -> dict[str, str]:
        """Return the numbers in the query of its distributed tables, and of their keys."""
        # `excluded` is listed like a table.
        excluded = (query["onConflict"] or {}).get("exclRelIndex")
        return {
            str(number): self.keys[table["relid"]]
            for number, table in enumerate(query["rtable"] or [], 1)
            if table.get("rtekind") == "0"
            and table["relid"] in self.keys
            and str(number) != excluded
        }

    def _broken(self, query: dict[str, Any]) -> Iterator[str]:
        tables = self._tables(query)
        target = query.get("resultRelation")
        locked = {mark["rti"] for mark in query["rowMarks"] or []}
        for number, key in tables.items():
            if query["commandType"] == INSERT and number == target:
                yield from self._insert(query, key)
                continue
            how = self._how(_conditions(query), number, key)
            if how is None:
                yield UNNAMED
            if number in locked and how != "value":
                yield LOCKS_MANY
            if query["commandType"] == UPDATE and number == target:
                if key in _assigned(query["targetList"]):
                    yield MOVED
                if not self._is_pushed_down(query):
                    yield NOT_PUSHED_DOWN

    def _insert(self, query: dict[str, Any], key: str) -> Iterator[str]:
        if key not in _assigned(query["targetList"]):
            yield UNNAMED
        conflict = query["onConflict"]
        if conflict is None:
            return
        if key in _assigned(conflict["onConflictSet"] or []):
            yield MOVED
        parts = [conflict[part] for part in ("onConflictSet", "onConflictWhere", "arbiterWhere")]
        if any(self._volatility(node) != "i" for node in nodes(parts)):
            yield NOT_IMMUTABLE

    def _is_pushed_down(self, query: dict[str, Any]) -> bool:
        """What `MasterIrreducibleExpression` of Citus lets through."""
        for node in nodes([query["targetList"], query["jointree"]]):
            volatility = self._volatility(node)
            over_columns = any(inner["node"] == "VAR" for inner in nodes(node))
            if volatility == "v" or (volatility == "s" and over_columns):
                return False
            is_case = node["node"] in {"CASE", "CASEEXPR", "COALESCE", "COALESCEEXPR"}
            if is_case and any(self._volatility(inner) != "i" for inner in nodes(node)):
                return False
        return True

    def _volatility(self, node: dict[str, Any]) -> str:
        if node["node"] == "SQLVALUEFUNCTION":
            return "s"
        function = node.get("funcid") or node.get("opfuncid")
        return self.volatility.get(function, "i")

    def _how(self, condition: Any, number: str, key: str) -> str | None:
        """Return how `condition` binds the key: to a "value", to "many" or by a "join"; None: not at all."""
        if isinstance(condition, list):
            return _best(self._how(part, number, key) for part in condition)
        kind = condition["node"] if isinstance(condition, dict) else ""
        if kind == "BOOLEXPR":
            found = [self._how(part, number, key) for part in condition["args"]]
            is_any = condition["boolop"] == "or" and None not in found
            return _best(found) if condition["boolop"] == "and" else "many" if is_any else None
        if kind in {"OPEXPR", "SCALARARRAYOPEXPR"} and condition["opno"] == TEXT_EQUALS:
            return _how_equal(condition, number, key)
        return None


def _how_equal(condition: dict[str, Any], number: str, key: str) -> str | None:
    others = [arg for arg in condition["args"] if not _is(arg, number, key)]
    if len(others) != 1:
        return None
    if condition["node"] == "SCALARARRAYOPEXPR":
        return "many" if condition["useOr"] == "true" else None
    return "join" if any(node["node"] in {"VAR", "SUBLINK"} for node in nodes(others)) else "value"


def _best(found: Iterable[str | None]) -> str | None:
    held = set(found)
    return next((how for how in ("value", "many", "join") if how in held), None)


def _is(argument: Any, number: str, key: str) -> bool:
    if isinstance(argument, dict) and argument["node"] == "RELABELTYPE":
        return _is(argument["arg"], number, key)
    return (
        isinstance(argument, dict)
        and argument["node"] == "VAR"
        and (argument["varno"], argument["varattno"], argument["varlevelsup"]) == (number, key, "0")
    )


def _conditions(query: dict[str, Any]) -> list[Any]:
    """What has to hold of every row: WHERE, and ON of inner joins."""
    return [
        node["quals"]
        for node in nodes_of_query(query["jointree"])
        if node["node"] == "FROMEXPR" or (node["node"] == "JOINEXPR" and node["jointype"] == "0")
    ]


def _assigned(targets: list[Any]) -> set[str]:
    return {target["resno"] for target in targets if target["resjunk"] == "false"}
