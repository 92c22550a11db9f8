"""What may be charged: amounts, and combinations of account, application fee and transfer."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import account
from connect.testing.resources.transfer import positive

MINIMUM = {"aud": 50, "cad": 50, "chf": 50, "eur": 50, "gbp": 30, "usd": 50}
SYMBOLS = {"eur": "€", "gbp": "£"}


def check_amount(amount: int, code: str) -> None:
    least = MINIMUM.get(code, 1)
    if positive(amount) < least:
        message = f"Amount must be at least {SYMBOLS.get(code, '$')}{least / 100:.2f} {code}"
        raise errors.Refused(400, message, code="amount_too_small", param="amount")
    if amount > 99_999_999:
        message = "Amount must be no more than $999,999.99"
        raise errors.Refused(400, message, code="amount_too_large", param="amount")


def check_connect(call: Call, params: dict[str, Any], amount: int) -> None:
    """Refuse the combinations of account, fee and transfer that Stripe refuses."""
    fee, data = params.get("application_fee_amount"), params.get("transfer_data") or {}
    if fee is not None and not call.account and not data:
        message = (
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using "
            "an OAuth key or Stripe-Account header) or destination payment (using `transfer_data[destination]`)."
        )
        raise errors.Refused(400, message, param="application_fee_amount")
    if fee is not None and data.get("amount") is not None:
        message = (
            "You may not provide the application_fee_amount parameter and the transfer_data[amount] parameter "
            "simultaneously. They are mutually exclusive."
        )
        raise errors.Refused(400, message, param="transfer_data[amount]")
    for name, part in (
        ("application_fee_amount", fee),
        ("transfer_data[amount]", data.get("amount")),
    ):
        if part is not None and not 0 <= part <= amount:
            raise errors.Refused(
                400, f"The {name} must be between 0 and the amount ({amount}).", param=name
            )
    if data.get("destination"):
        account.require_capability(
            call, data["destination"], "transfers", param="transfer_data[destination]"
        )
    if params.get("on_behalf_of"):
        account.require_capability(
            call, params["on_behalf_of"], "card_payments", param="on_behalf_of"
        )
