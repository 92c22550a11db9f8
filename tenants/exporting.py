"""Owns taking out all that there is of one merchant: a file of JSON lines for each table."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.utils import timezone
from psycopg import sql

from connect.context import every_account
from django_stripe.database import ALIAS, connection
from django_stripe.platform import Account, account_key
from tenants.names import schema_of

# Tables of the merchant's schema, whole; and what the shared schema has under its account.
TABLES: Final = """
SELECT nspname, relname, EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'connect_account_id' AND NOT attisdropped
) AS has_account
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname IN (%s, 'public')
ORDER BY nspname = 'public', relname
"""

# Neither byte is in JSON, so no line is quoted and none has a newline.
COPY: Final = """
COPY (SELECT to_jsonb(t) FROM {table} AS t {where}) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
"""

MANIFEST: Final = "manifest.json"


class Table(NamedTuple):
    """A table with rows of the merchant."""

    schema: str
    name: str
    has_account: bool


Tell = Callable[[int, int], object]
"""Given how many tables are written, and of how many."""


def export(account: Account, directory: Path, tell: Tell = lambda done, total: None) -> Path:
    """Write all rows of a merchant below `directory`, and return the folder, which is named after its account.

    It appears there complete or not at all. While its tables are read nobody writes to them.
    Raises FileExistsError if the folder is there.
    """
    key = account_key(account)
    schema = schema_of(key)
    target = directory / schema
    if target.exists():
        raise FileExistsError(
            f"{target} is there already. Move it away, or name another directory."
        )
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=f".{schema}-") as unfinished:
        folder = Path(unfinished) / schema
        folder.mkdir()
        with every_account(), transaction.atomic(ALIAS):
            rows = _write(key, schema, folder, tell)
        manifest = {
            "connect_account_id": key,
            "exported_at": timezone.now().isoformat(),
            "rows": rows,
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        os.rename(folder, target)  # noqa: PTH104 - Path.rename replaces an empty folder without a word too
    return target


def _write(key: str, schema: str, folder: Path, tell: Tell) -> dict[str, int]:
    tables = _tables(schema)
    own = [sql.Identifier(table.schema, table.name) for table in tables if table.schema == schema]
    rows = {}
    with connection().cursor() as cursor:
        if own:
            cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.SQL(", ").join(own)))
        for done, table in enumerate(tables):
            tell(done, len(tables))
            rows[f"{table.schema}.{table.name}"] = _copy(cursor, table, key, folder)
    tell(len(tables), len(tables))
    return rows


def _copy(cursor: Any, table: Table, key: str, folder: Path) -> int:
    where = sql.SQL("WHERE connect_account_id = {}").format(sql.Literal(key))
    statement = sql.SQL(COPY).format(
        table=sql.Identifier(table.schema, table.name),
        where=where if table.has_account else sql.SQL(""),
    )
    path = folder / f"{table.schema}.{table.name}.jsonl"
    count = 0
    with path.open("wb") as file, cursor.copy(statement) as rows:
        for block in rows:
            count += bytes(block).count(b"\n")
            file.write(block)
    return count


def _tables(schema: str) -> list[Table]:
    with connection().cursor() as cursor:
        cursor.execute(TABLES, [schema])
        found = [Table(*row) for row in cursor.fetchall()]
    return [table for table in found if table.schema == schema or table.has_account]
