"""Disputes: opened by test cards, decided by the evidence `winning_evidence` or `losing_evidence`."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources.balance_transaction import Fee, Movement, book
from connect.testing.resources.payment_method import TestCard
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

dispute = Noun("dispute", "/v1/disputes", "Dispute")
FEE_AMOUNT = 1500
DUE_SECONDS = 9 * 24 * 3600
OPEN = ("needs_response", "warning_needs_response")
EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def open_(call: Call, charge: StripeObject, card: TestCard) -> StripeObject:
    """The bank takes the money back from the account that the charge lives on. An inquiry only asks."""
    id_ = call.new_id("dp")
    withdrawn = [] if card.inquiry else [withdraw(call, charge, id_)]
    obj: StripeObject = {
        "id": id_,
        "object": "dispute",
        "amount": charge["amount_captured"],
        "balance_transactions": withdrawn,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + DUE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": card.inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": card.brand,
                "case_type": "inquiry" if card.inquiry else "chargeback",
                "network": card.brand,
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": card.dispute,
        "status": "warning_needs_response" if card.inquiry else "needs_response",
    }
    call.insert(obj, "charge.dispute.created")
    if not card.inquiry:
        call.change(charge, {"disputed": True}, "charge.updated")
        call.emit("charge.dispute.funds_withdrawn", obj)
    return obj


def withdraw(call: Call, charge: StripeObject, id_: str) -> StripeObject:
    fee = Fee(FEE_AMOUNT, "stripe_fee", description="Dispute fee")
    moved = Movement(
        "adjustment",
        -charge["amount_captured"],
        charge["currency"],
        id_,
        (fee,),
        category="dispute",
    )
    return {**book(call, moved), "status": "available"}


@dispute.update_with
def update(call: Call) -> StripeObject:
    obj, params = call.get("dispute", call.path["id"]), call.params
    changes: StripeObject = {}
    if "metadata" in params:
        changes["metadata"] = call.metadata(obj)
    submits = params.get("evidence") is not None and params.get("submit", True)
    if params.get("evidence") is not None:
        if obj["status"] not in OPEN:
            raise errors.Refused(
                400, "This dispute is closed or under review; evidence can no longer be added."
            )
        details = {**obj["evidence_details"], "has_evidence": True}
        details["submission_count"] += submits
        changes |= {
            "evidence": {**obj["evidence"], **params["evidence"]},
            "evidence_details": details,
        }
    if submits:
        changes["status"] = (
            "warning_under_review" if obj["status"].startswith("warning") else "under_review"
        )
    obj = call.change(obj, changes, "charge.dispute.updated")
    decision = (obj["evidence"]["uncategorized_text"] or "").strip()
    if submits and decision in {"winning_evidence", "losing_evidence"}:
        return decide(call, obj, won=decision == "winning_evidence")
    return obj


@dispute.action("close")
def close(call: Call) -> StripeObject:
    """To close is to accept: the dispute is lost."""
    obj = call.get("dispute", call.path["id"])
    if obj["status"] not in OPEN:
        raise errors.Refused(400, "This dispute is already closed.")
    return decide(call, obj, won=False)


def decide(call: Call, obj: StripeObject, *, won: bool) -> StripeObject:
    if obj["status"].startswith("warning"):
        return call.change(obj, {"status": "warning_closed"}, "charge.dispute.closed")
    changes: StripeObject = {"status": "won" if won else "lost"}
    if won:
        fee = Fee(-FEE_AMOUNT, "stripe_fee", description="Dispute fee refund")
        back = Movement(
            "adjustment",
            obj["amount"],
            obj["currency"],
            obj["id"],
            (fee,),
            category="dispute_reversal",
        )
        booked = {**book(call, back), "status": "available"}
        changes["balance_transactions"] = [*obj["balance_transactions"], booked]
    obj = call.change(obj, changes, "charge.dispute.closed")
    if won:
        call.emit("charge.dispute.funds_reinstated", obj)
    return obj


dispute.retrieve()
dispute.list("charge", "payment_intent")
