"""Credit notes: what an open invoice is reduced by, or what of a paid one goes to the customer's balance or back."""

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import customer_balance_transaction, invoice_payment
from connect.testing.routing import Noun, route
from connect.testing.store import StripeObject

credit_note = Noun("credit_note", "/v1/credit_notes", "CreditNote")
ELSEWHERE = ("refund_amount", "out_of_band_amount", "credit_amount")


@credit_note.create
def create(call: Call) -> StripeObject:
    params = call.params
    invoice = call.get("invoice", params["invoice"], param="invoice")
    if invoice["status"] not in {"open", "paid"}:
        message = (
            f"Invoice {invoice['id']} is {invoice['status']}; credit notes need a finalized one."
        )
        raise errors.Refused(400, message, param="invoice")
    id_ = call.new_id("cn")
    rows = [line(call, given) for given in params.get("lines") or []]
    amount = params.get("amount", sum(row["amount"] for row in rows))
    paid = invoice["status"] == "paid"
    check(invoice, amount, call)
    transaction = None
    if paid and not params.get("refund_amount") and not params.get("out_of_band_amount"):
        customer = call.get("customer", invoice["customer"])
        why = {"credit_note": id_, "invoice": invoice["id"], "type": "credit_note"}
        made = customer_balance_transaction.enter(
            call, customer, -amount, invoice["currency"], **why
        )
        transaction = made["id"]
    obj: StripeObject = {
        "id": id_,
        "object": "credit_note",
        "amount": amount,
        "amount_shipping": 0,
        "created": call.now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": transaction,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": call.now,
        "invoice": invoice["id"],
        "lines": lists.listing(f"{credit_note.path}/{id_}/lines", rows),
        "livemode": False,
        "memo": params.get("memo"),
        "metadata": call.metadata(),
        "number": f"{invoice['number']}-CN-{1 + len(of_invoice(call, invoice)):02}",
        "out_of_band_amount": params.get("out_of_band_amount"),
        "pdf": f"{call.base_url}/credit_notes/{id_}/pdf",
        "post_payment_amount": amount if paid else 0,
        "pre_payment_amount": 0 if paid else amount,
        "pretax_credit_amounts": [],
        "reason": params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": amount,
        "subtotal_excluding_tax": amount,
        "total": amount,
        "total_excluding_tax": amount,
        "total_taxes": [],
        "type": "post_payment" if paid else "pre_payment",
        "voided_at": None,
    }
    call.insert(obj, "credit_note.created")
    reduce(call, invoice, amount)
    return obj


def check(invoice: StripeObject, amount: int, call: Call) -> None:
    """Raises Refused for more than the invoice has left, and for refunds: those are made of charges here."""
    paid = invoice["status"] == "paid"
    credited = invoice["post_payment_credit_notes_amount"]
    left = invoice["amount_paid"] - credited if paid else invoice["amount_remaining"]
    if not 0 < amount <= left:
        message = f"The amount of the credit note must be between 1 and what is left ({left})."
        raise errors.Refused(400, message, param="amount")
    if call.params.get("refund_amount"):
        message = (
            "The stand-in's credit notes make no refunds: refund the charge, and credit the rest."
        )
        raise errors.Refused(400, message, param="refund_amount")


def line(call: Call, given: StripeObject) -> StripeObject:
    quantity, unit_amount = given.get("quantity", 1), given.get("unit_amount")
    amount = given["amount"] if given.get("amount") is not None else (unit_amount or 0) * quantity
    return {
        "id": call.new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": given.get("description"),
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": given.get("invoice_line_item"),
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": given["type"],
        "unit_amount": unit_amount,
        "unit_amount_decimal": None if unit_amount is None else str(unit_amount),
    }


def of_invoice(call: Call, invoice: StripeObject) -> list[StripeObject]:
    return [row for row in call.newest_first("credit_note") if row["invoice"] == invoice["id"]]


def reduce(call: Call, invoice: StripeObject, amount: int) -> None:
    """`amount` is negative when a credit note is voided."""
    if invoice["status"] == "paid":
        credited = invoice["post_payment_credit_notes_amount"] + amount
        call.change(invoice, {"post_payment_credit_notes_amount": credited}, "invoice.updated")
        return
    due = invoice["amount_due"] - amount
    changes = {
        "amount_due": due,
        "amount_remaining": invoice["amount_remaining"] - amount,
        "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] + amount,
    }
    changed = call.change(invoice, changes, "invoice.updated")
    if due == 0:
        invoice_payment.settle(call, changed)


@route("POST", credit_note.path + "/{id}/void", "CreditNoteVoidCreditNoteParams")
def void(call: Call) -> StripeObject:
    obj = call.get("credit_note", call.path["id"])
    invoice = call.get("invoice", obj["invoice"])
    if obj["status"] == "void" or invoice["status"] != "open":
        message = "You can only void a credit note of an open invoice, once."
        raise errors.Refused(400, message)
    reduce(call, invoice, -obj["amount"])
    return call.change(obj, {"status": "void", "voided_at": call.now}, "credit_note.voided")


credit_note.retrieve()
credit_note.list("customer", "invoice")
credit_note.update("memo", event="credit_note.updated")
