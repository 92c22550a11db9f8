"""What a statement does, as PostgreSQL itself has parsed it: read from the body of a function made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg

TOKEN = re.compile(r"[{}()]|(?:\\.|[^\s{}()\\])+")

MAKE = "CREATE FUNCTION pg_temp.parsed() RETURNS void LANGUAGE sql BEGIN ATOMIC {};\nEND"
BODY = "SELECT prosqlbody::text FROM pg_proc WHERE proname = 'parsed' AND pronamespace = pg_my_temp_schema()"


def parse(connection: psycopg.Connection[Any], statement: str) -> list[Any]:
    """Return the queries of `statement`, as nodes of PostgreSQL's; nothing of it is run."""
    with connection.transaction(force_rollback=True):
        connection.execute(MAKE.format(statement.rstrip().rstrip(";")).encode())
        ((body,),) = connection.execute(BODY).fetchall()
    (tree,) = _values(iter(TOKEN.findall(body)), "")
    return [node for node in nodes(tree) if node["node"] == "QUERY"]


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node in `tree`, also those of queries within."""
    if isinstance(tree, dict):
        yield tree
    for value in (
        tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    ):
        yield from nodes(value)


def nodes_of_query(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node in `tree`, but for those of queries within."""
    if isinstance(tree, dict):
        yield tree
        if tree["node"] == "QUERY":
            return
    for value in (
        tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    ):
        yield from nodes_of_query(value)


def _values(tokens: Iterator[str], end: str) -> list[Any]:
    found: list[Any] = []
    for token in tokens:
        if token == end:
            break
        if token == "{":
            found.append(_node(tokens))
        elif token == "(":
            found.append(_values(tokens, ")"))
        else:
            found.append(token)
    return found


def _node(tokens: Iterator[str]) -> dict[str, Any]:
    node: dict[str, Any] = {"node": next(tokens)}
    field = ""
    for value in _values(tokens, "}"):
        if isinstance(value, str) and value.startswith(":"):
            field = value[1:]
            node[field] = None
        elif node[field] is None:
            node[field] = None if value == "<>" else value
    return node
