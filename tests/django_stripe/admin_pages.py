"""What the tests of the admin share: rows, addresses, and what a page asks of the database."""

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_stripe.registry import models_by_object

CHARGE = models_by_object()["charge"]
ACCOUNT = models_by_object()["account"]

FILL = """
INSERT INTO {table} (connect_account_id, livemode, stripe_id, data, as_of, origin, event_id, leans_on_prior)
SELECT CASE WHEN i %% 2 = 0 THEN '' ELSE 'acct_' || i %% 101 END, i %% 3 = 0, 'x_' || i,
    jsonb_build_object('id', 'x_' || i, 'created', 1700000000 + i::bigint * 7919 %% 100000,
        'amount', i, 'amount_total', i, 'currency', 'eur', 'status', 'succeeded', 'name', 'n',
        'metadata', jsonb_build_object('secret', 'of ' || i)),
    now(), 'event', '', false
FROM generate_series(%s, %s) AS i
"""


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def fill(model, first, last):
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(table=model._meta.db_table), [first, last])
        cursor.execute(f"ANALYZE {model._meta.db_table}")


def stored(model=CHARGE, **fields):
    fields = {"stripe_id": "ch_1", "connect_account_id": "acct_1", **fields}
    return model.objects.create(**{"data": {"id": fields["stripe_id"]}, **fields})


def queries_of(client, model, address):
    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
    assert response.status_code == 200
    table = connection.ops.quote_name(model._meta.db_table)
    return [query["sql"] for query in captured if table in query["sql"]], len(captured)


def ids_listed(response):
    return [row.stripe_id for row in response.context["cl"].result_list]


def plan_of(query):
    """Return how PostgreSQL would answer `query`, given what it knows of the table."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        return "\n".join(line for (line,) in cursor.fetchall())
