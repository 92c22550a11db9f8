"""Stripe's refusals: their HTTP statuses, types, codes and texts, as recorded from the real API."""

from collections.abc import Sequence
from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"
NOUN_IN_TEXT = {
    "account": "account",
    "application_fee": "application fee",
    "balance_transaction": "balance transaction",
    "fee_refund": "application fee refund",
    "payment_method": "PaymentMethod",
    "transfer_reversal": "transfer reversal",
    "webhook_endpoint": "webhook endpoint",
}


class Refused(Exception):
    """An error answer. What the request changed is rolled back unless `commit` (a declined card leaves traces)."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - Stripe's own field name
        commit: bool = False,
        **fields: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.commit = commit
        self.headers: dict[str, str] = fields.pop("headers", {})
        error: dict[str, Any] = {"message": message, "type": type}
        error |= {name: value for name, value in fields.items() if value is not None}
        if "code" in error:
            error.setdefault("doc_url", DOCS + str(error["code"]).replace("_", "-"))
        self.body: dict[str, Any] = {"error": error}


def resource_missing(noun: str, id_: str, *, param: str = "id", in_path: bool = True) -> Refused:
    """404 when the id stands in the URL, 400 when it stands in the parameters."""
    message = f"No such {NOUN_IN_TEXT.get(noun, noun)}: '{id_}'"
    status = 404 if in_path else 400
    return Refused(status, message, code="resource_missing", param=param)


def account_invalid(key: str, account: str) -> Refused:
    """Unknown, deleted and deauthorised accounts are not told apart."""
    return Refused(
        403,
        f"The provided key '{masked(key)}' does not have access to account '{account}' (or that account "
        "does not exist). Application access may have been revoked.",
        code="account_invalid",
    )


def masked(key: str) -> str:
    """`sk_test_***uCJm`: enough to recognise a key, not enough to use it."""
    prefix = "_".join(key.split("_")[:2])
    return f"{prefix}_***{key[-4:]}" if len(key) > len(prefix) + 5 else "***"


def parameter_unknown(names: Sequence[str]) -> Refused:
    plural = "s" if len(names) > 1 else ""
    return Refused(
        400,
        f"Received unknown parameter{plural}: {', '.join(names)}",
        code="parameter_unknown",
        param=names[0],
    )


def parameter_missing(name: str) -> Refused:
    return Refused(400, f"Missing required param: {name}.", code="parameter_missing", param=name)


def parameter_invalid_integer(name: str, value: object) -> Refused:
    return Refused(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)


def parameter_invalid_empty(name: str) -> Refused:
    return Refused(
        400,
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a field; "
        f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a "
        "non-empty value.",
        code="parameter_invalid_empty",
        param=name,
    )


def invalid_choice(name: str, choices: Sequence[str]) -> Refused:
    *first, last = choices
    listed = f"{', '.join(first)}{',' if len(first) > 1 else ''} or {last}" if first else last
    return Refused(400, f"Invalid {name}: must be one of {listed}", param=name)


def invalid_type(name: str, wanted: str, value: object) -> Refused:
    return Refused(400, f"Invalid {wanted}: {value}", param=name)


def balance_insufficient(message: str) -> Refused:
    return Refused(400, message, code="balance_insufficient")


def unexpected_state(intent: dict[str, Any], message: str) -> Refused:
    return Refused(400, message, code="payment_intent_unexpected_state", payment_intent=intent)


def unrecognized_url(method: str, path: str) -> Refused:
    return Refused(
        404,
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
    )
