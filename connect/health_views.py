"""Owns the health views: how the inbox is, for monitors that have the token and for staff; for nobody else."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from django.db import Error, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from connect import conf
from connect.health import COUNTED_MAX, Health, measured
from connect.prometheus import CONTENT_TYPE, prometheus_text
from django_stripe.failure import where

logger = logging.getLogger(__name__)

UNREACHABLE: Final = "unreachable"


@require_safe
@never_cache
@transaction.non_atomic_requests  # a database that fails is answered, not raised
def health(request: HttpRequest) -> HttpResponse:
    """Return how the inbox is, as JSON.

    200: ``"status"`` is ok or degraded: something failed for good, or a retry is overdue. 503: late (an event has
    waited for longer than ``CONNECT_HEALTH_LAG_SECONDS``) or unreachable (the database). 401, 404: not for you.
    """
    return _answer(request, _json, JsonResponse({"status": UNREACHABLE}, status=503))


@require_safe
@never_cache
@transaction.non_atomic_requests
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the same numbers for Prometheus. 503: the database does not answer. 401, 404: not for you."""
    failure = HttpResponse(f"# {UNREACHABLE}\n", status=503, content_type=CONTENT_TYPE)
    return _answer(request, _text, failure)


def _answer(
    request: HttpRequest, shown: Callable[[Health], HttpResponse], failure: HttpResponse
) -> HttpResponse:
    try:
        if not _has_token(request) and not _is_of_staff(request):
            return _refusal()
        return shown(measured())
    except Error as error:
        logger.error("The database does not answer how the inbox is: %s", where(error))
        return failure


def _json(health: Health) -> HttpResponse:
    answer = {
        "status": health.status,
        "late_after_seconds": conf.health_lag_seconds(),
        "counted_max": COUNTED_MAX,
        "endpoints": {name: _plain(asdict(it)) for name, it in health.endpoints.items()},
    }
    return JsonResponse(answer, status=503 if health.status == "late" else 200)


def _text(health: Health) -> HttpResponse:
    return HttpResponse(prometheus_text(health), content_type=CONTENT_TYPE)


def _plain(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in numbers.items()
    }


def _has_token(request: HttpRequest) -> bool:
    token = conf.health_token()
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(), token.encode())


def _is_of_staff(request: HttpRequest) -> bool:
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_active or not user.is_staff:
        return False
    return bool(user.has_perm("connect.view_inboxevent"))


def _refusal() -> HttpResponse:
    # Without a token in the settings, nobody is to know that there is anything here.
    if conf.health_token() is None:
        raise Http404
    return HttpResponse(
        "Send the token: Authorization: Bearer …\n",
        status=401,
        content_type="text/plain",
        headers={"WWW-Authenticate": "Bearer"},
    )
