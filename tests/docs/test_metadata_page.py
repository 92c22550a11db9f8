"""docs/metadata.md does what it says: its migration adds the column that its queries use."""

import re

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from django_stripe.charge.models import Charge
from django_stripe.mirroring import mirror
from tests.docs.test_readme import ROOT
from tests.tenants.rows import snapshot

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/metadata.md").read_text(), re.DOTALL)


@pytest.mark.django_db
def test_its_migration_adds_what_its_queries_find():
    migration, queries = BLOCKS
    names = {"Charge": Charge}
    exec(migration, names)  # noqa: S102 - our own page
    written = names["Migration"]("0002_orders", "shop")
    state = MigrationLoader(None).project_state(written.dependencies)
    with connection.schema_editor() as editor:
        written.apply(state, editor)
    numbers = ("6735", "5", "7")
    mirror(snapshot("acct_A", f"ch_{n}", metadata={"order_id": n}) for n in numbers)
    exec(queries.replace("acct_1A", "acct_A"), names)  # noqa: S102 - our own page
    *_, first, second = queries.strip().splitlines()
    found = [eval(line, names) for line in (first, second)]  # noqa: S307 - our own page
    assert [[row.stripe_id for row in rows] for rows in found] == [["ch_6735"], ["ch_6735", "ch_7"]]
