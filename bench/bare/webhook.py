"""Owns the bare view: it reads nothing of the event, and stores what was signed."""

from __future__ import annotations

import hashlib
import hmac

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from bench.delivery import SECRET

TABLE = "CREATE TABLE bench_bare (id bigserial PRIMARY KEY, body text NOT NULL)"


def webhook_path() -> str:
    """Make the table, and return the view's path."""
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
    return "/webhook/"


@csrf_exempt
def webhook(request: HttpRequest) -> HttpResponse:
    """Store a body that is signed."""
    signed_at, signature = (
        part.partition("=")[2] for part in request.headers["Stripe-Signature"].split(",")
    )
    signed = signed_at.encode() + b"." + request.body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        return HttpResponse(status=400)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_bare (body) VALUES (%s)", [request.body.decode()])
    return HttpResponse("Received.\n", content_type="text/plain")
