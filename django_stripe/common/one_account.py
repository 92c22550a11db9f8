"""Owns how a query says that it reads one account's rows of a table alone, which PostgreSQL may plan by.

`for_account` says it in a comment behind its condition, where nothing stands beside that: no OR, no NOT.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.db.models.lookups import Exact
from django.db.models.sql.where import AND

SAID: Final = re.compile(r"/\*for_account (\w{1,63})\*/")
ESCAPED: Final = 'u&"'
"""How a name begins that SQL may write otherwise."""


class InAccount(Exact):
    """``connect_account_id = …``, which says so."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        sql, parameters = super().as_sql(compiler, connection)
        table = self.lhs.target.model._meta.db_table
        if table.isidentifier() and self._is_demanded(compiler.query.where):
            sql += f" /*for_account {table}*/"
        return sql, parameters

    def _is_demanded(self, where: Any) -> bool:
        """Whether no row comes that it does not hold for."""
        is_all = where.connector == AND and not where.negated
        return is_all and any(child is self for child in where.children)


def table_of_one_account(statement: str) -> str:
    """Return the table of which `statement` reads one account's rows, and reads in no other place; else ``""``."""
    said = SAID.search(statement)
    if said is None or not statement.startswith(("SELECT", "EXPLAIN")):
        return ""
    table, text = said[1].lower(), statement.lower()
    # Where it is neither before a column nor in the comment it is read, or is part of another name: then rather not.
    reads = text.count(table) - text.count(f'{table}".') - 1
    return said[1] if reads == 1 and ESCAPED not in text else ""
