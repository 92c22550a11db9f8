"""Invoices: draft, then open, then paid, void or uncollectible."""

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import customer_balance_transaction, invoice_draft, invoice_payment
from connect.testing.resources.invoice_lines import line_of_item
from connect.testing.resources.invoice_payment import subscription_of
from connect.testing.routing import Noun, route
from connect.testing.store import StripeObject

invoice = Noun("invoice", invoice_draft.PATH, "Invoice")


@invoice.create
def create(call: Call) -> StripeObject:
    params = call.params
    if "customer" not in params:
        raise errors.parameter_missing("customer")
    customer = call.get("customer", params["customer"], param="customer")
    draft = invoice_draft.build(call, customer, params)
    items = (
        invoice_draft.pending(call, draft)
        if params.get("pending_invoice_items_behavior") == "include"
        else []
    )
    return invoice_draft.issue(
        call, draft, [line_of_item(call, item, draft["id"]) for item in items]
    )


@route("GET", invoice.path + "/{id}/lines", "InvoiceLineItemListParams")
def lines(call: Call) -> StripeObject:
    id_ = call.get("invoice", call.path["id"])["id"]
    url = f"{invoice.path}/{id_}/lines"
    return lists.page(call, "line_item", url, lambda row: bool(row["invoice"] == id_))


@invoice.update_with
def update(call: Call) -> StripeObject:
    obj, params = call.get("invoice", call.path["id"]), call.params
    changes = {
        name: params[name] for name in (*invoice_draft.AS_GIVEN, "auto_advance") if name in params
    }
    if "metadata" in params:
        changes["metadata"] = call.metadata(obj)
    if obj["status"] != "draft" and changes.keys() - {"metadata", "auto_advance", "rendering"}:
        raise unexpected(obj, "Finalized invoices can't be updated in this way", ("draft",))
    if "due_date" in params or "days_until_due" in params:
        changes["due_date"] = invoice_draft.due_date(call, params)
    return call.change(obj, changes, "invoice.updated")


@invoice.delete_with
def delete(call: Call) -> StripeObject:
    obj = needed(call, "draft", verb="deleted")
    for item in list(call.newest_first("invoiceitem")):
        if item["invoice"] == obj["id"]:
            call.delete(item, "invoiceitem.deleted")
    return call.delete(obj, "invoice.deleted")


@route("POST", invoice.path + "/{id}/finalize", "InvoiceFinalizeInvoiceParams")
def finalize_named(call: Call) -> StripeObject:
    obj = finalize(call, needed(call, "draft", verb="finalized"))
    advances = call.params.get("auto_advance", obj["auto_advance"])
    if advances and obj["status"] == "open" and obj["collection_method"] == "charge_automatically":
        return invoice_payment.attempt(call, obj)
    return obj


def finalize(call: Call, obj: StripeObject) -> StripeObject:
    """Number it and take the customer's balance into account. What comes to nothing is paid at once."""
    customer = call.get("customer", obj["customer"])
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    sequence = {"next_invoice_sequence": customer["next_invoice_sequence"] + 1}
    customer = call.change(customer, sequence, "customer.updated")
    applied = max(-obj["total"], customer["balance"]) if obj["total"] > 0 else 0
    if applied:
        why = {"invoice": obj["id"], "type": "applied_to_invoice"}
        customer_balance_transaction.enter(call, customer, -applied, obj["currency"], **why)
    due = max(0, obj["total"] + applied)
    changes = {
        "amount_due": due,
        "amount_remaining": due,
        "effective_at": call.now,
        "ending_balance": customer["balance"] - applied,
        "hosted_invoice_url": f"{call.base_url}/invoices/{obj['id']}",
        "invoice_pdf": f"{call.base_url}/invoices/{obj['id']}/pdf",
        "number": number,
        "starting_balance": customer["balance"],
        "status": "open",
        "status_transitions": {**obj["status_transitions"], "finalized_at": call.now},
    }
    obj = call.change(obj, changes, "invoice.finalized")
    return obj if due else invoice_payment.settle(call, obj)


@invoice.action("pay")
def pay(call: Call) -> StripeObject:
    obj = call.get("invoice", call.path["id"])
    if obj["status"] == "draft":
        obj = finalize(call, obj)
        if obj["status"] == "paid":
            return obj
    obj = needed(call, "open", "uncollectible", verb="paid")
    if call.params.get("paid_out_of_band"):
        return invoice_payment.settle(call, obj, off_stripe=True)
    return invoice_payment.attempt(call, obj)


@route("POST", invoice.path + "/{id}/send", "InvoiceSendInvoiceParams")
def send(call: Call) -> StripeObject:
    obj = needed(call, "draft", "open", verb="sent")
    if obj["status"] == "draft":
        obj = finalize(call, obj)
    call.emit("invoice.sent", obj)
    return obj


@route("POST", invoice.path + "/{id}/void", "InvoiceVoidInvoiceParams")
def void(call: Call) -> StripeObject:
    return closed(call, needed(call, "open", "uncollectible", verb="voided"), "void", "voided")


@route("POST", invoice.path + "/{id}/mark_uncollectible", "InvoiceMarkUncollectibleParams")
def mark_uncollectible(call: Call) -> StripeObject:
    obj = needed(call, "open", verb="marked as uncollectible")
    return closed(call, obj, "uncollectible", "marked_uncollectible")


def closed(call: Call, obj: StripeObject, status: str, verb: str) -> StripeObject:
    transitions = {**obj["status_transitions"], f"{verb}_at": call.now}
    changes = {"status": status, "status_transitions": transitions, "next_payment_attempt": None}
    return call.change(obj, changes, f"invoice.{verb}")


def needed(call: Call, *statuses: str, verb: str) -> StripeObject:
    obj = call.get("invoice", call.path["id"])
    if obj["status"] not in statuses:
        raise unexpected(obj, f"This invoice cannot be {verb}", statuses)
    return obj


def unexpected(obj: StripeObject, what: str, statuses: tuple[str, ...]) -> errors.Refused:
    wanted = " or ".join(statuses)
    return errors.Refused(400, f"{what}: it is {obj['status']}, and has to be {wanted}.")


@route("GET", invoice.path, "InvoiceListParams")
def list_(call: Call) -> StripeObject:
    names = ("collection_method", "customer", "status")
    wanted = {name: call.params[name] for name in names if name in call.params}
    owner = call.params.get("subscription")

    def keep(obj: StripeObject) -> bool:
        fits = all(obj[name] == value for name, value in wanted.items())
        return fits and owner in {None, subscription_of(obj)}

    return lists.page(call, "invoice", invoice.path, keep)


invoice.retrieve()
