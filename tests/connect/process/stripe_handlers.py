"""A handler that goes on when the test lets it."""

from django.db import connection

import connect
from tests.connect.process import GATE
from tests.connect.working import leave_an_effect


@connect.on("*")
def waits_at_the_gate(event):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [GATE])
    leave_an_effect(event)
