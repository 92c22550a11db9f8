"""The handlers of the workers that are killed."""

import os
import time
from pathlib import Path

from django.db import connection

import connect
from tests.connect.kill.effects import OUTSIDE, stumbles

ATTEMPTS = """
SELECT attempts FROM connect_inboxevent WHERE connect_account_id = %s AND livemode = %s AND event_id = %s
"""


@connect.on("*")
def does_it_once(event):
    with connection.cursor() as cursor:
        account = event.connect_account_id
        cursor.execute("INSERT INTO kill_effect VALUES (%s, %s)", [account, event.id])
        cursor.execute("UPDATE kill_sum SET n = n + 1 WHERE account = %s", [account])
    # One write to a file that is open for appending: no two of them are mixed up.
    with Path(os.environ[OUTSIDE]).open("ab", buffering=0) as outside:
        outside.write(f"{event.id}\n".encode())
    if event.id.endswith("7"):
        time.sleep(0.005)


@connect.on("*")
def stumbles_at_some(event):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO kill_second VALUES (%s)", [event.id])
        if stumbles(event.id):
            cursor.execute(ATTEMPTS, [event.connect_account_id, event.livemode, event.id])
            if cursor.fetchone() == (0,):
                raise RuntimeError
