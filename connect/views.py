"""Owns the webhook endpoints: verify, store, answer; everything else comes after the answer is certain."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from connect import conf, thin
from connect.inbox import receive
from connect.processing import process
from connect.signature import SignatureMismatch, verify
from connect.wake_ups import wake_up
from django_stripe.envelope import InvalidEvent
from django_stripe.event import Event, parse_event
from django_stripe.failure import where

logger = logging.getLogger(__name__)

BODY_BYTES_MAX: Final = 1024 * 1024


@csrf_exempt
@require_POST
@transaction.non_atomic_requests  # what is answered 200 has to be stored by then
def webhook(request: HttpRequest, endpoint: str) -> HttpResponse:
    """Take an event that Stripe delivers to `endpoint`: ``"platform"``, ``"connect"`` or ``"thin"``.

    200: it is stored, now or before. 400: not signed with a secret of this endpoint, or no event of its kind.
    404: the endpoint has no usable secret. 413: larger than any event. Stripe retries all but 200 for
    three days. https://docs.stripe.com/webhooks
    """
    secrets = conf.webhook_secrets(endpoint) if endpoint in conf.ENDPOINTS else []
    if not secrets:
        if endpoint in conf.ENDPOINTS:
            logger.error(
                "An event was delivered to the webhook endpoint %r, for which STRIPE_WEBHOOK_SECRETS has no "
                "usable secret; it was not read.",
                endpoint,
            )
        raise Http404
    body = request.read(BODY_BYTES_MAX + 1)
    if len(body) > BODY_BYTES_MAX:
        return _refusal(413, f"The body is larger than {BODY_BYTES_MAX} bytes.")
    try:
        verify(body, request.META.get("HTTP_STRIPE_SIGNATURE", ""), secrets)
        event = thin.parse(body) if endpoint == conf.THIN else parse_event(body)
    except (SignatureMismatch, InvalidEvent) as error:
        logger.warning("A delivery to the webhook endpoint %r was refused: %s", endpoint, error)
        return _refusal(400, str(error))
    inbox_id = receive(event, endpoint=endpoint)
    if inbox_id is None:
        return HttpResponse("Received before.\n", content_type="text/plain")
    then = partial(_process, inbox_id) if conf.processes_inline() else wake_up
    transaction.on_commit(partial(then, event))
    return HttpResponse("Received.\n", content_type="text/plain")


def _process(inbox_id: int, event: Event) -> None:
    try:
        process(inbox_id, event)
    except Exception as error:  # noqa: BLE001 - whatever it is
        # It is stored and due: the answer stays 200, or Stripe would send again what we have.
        logger.error(
            "Inbox event %s is not processed yet, and due again: %s", inbox_id, where(error)
        )


def _refusal(status: int, reason: str) -> HttpResponse:
    return HttpResponse(f"{reason}\n", status=status, content_type="text/plain")
