"""Parameters that older API versions take and the current one refuses.

A request that names no version runs at its account's default, which may be of any age: it may still use them. The
official CLI does.
"""

from dataclasses import dataclass, replace

from connect.testing import errors
from connect.testing.parameters import Field, Params

TEXT = Field(scalars=frozenset({"str"}))
TEXT_OR_NOTHING = Field(scalars=frozenset({"str"}), choices=("",))


@dataclass(frozen=True)
class Retired:
    """`removed_in` is the first version without it; `instead` the parameter that took its place and is required.

    `inside` is the parameter that it is a part of.
    """

    name: str
    removed_in: str
    kind: Field = TEXT
    instead: str | None = None
    code: str = "parameter_unknown"
    inside: str | None = None


# https://docs.stripe.com/changelog/endive/2026-09-30 (seen 2026-11-24)
PAYMENT_METHOD_TYPES = Retired(
    "payment_method_types",
    "2026-09-30",
    Field(item=TEXT),
    code="payment_method_types_no_longer_supported",
)
# https://docs.stripe.com/changelog/basil/2025-03-31/deprecate-singular-coupon-promotion-code (seen 2026-11-24)
COUPON = Retired("coupon", "2025-03-31", TEXT_OR_NOTHING)
# https://docs.stripe.com/changelog/clover/2025-09-30/polymorphic-coupon (seen 2026-11-24)
COUPON_OF_CODE = Retired("coupon", "2025-09-30", instead="promotion")
# https://docs.stripe.com/changelog/clover/2025-09-30/remove-iterations (seen 2026-11-24)
ITERATIONS = Retired("iterations", "2025-09-30", Field(scalars=frozenset({"int"})), inside="phases")
RETIRED: dict[str, Retired] = {
    "PaymentIntentCreateParams": PAYMENT_METHOD_TYPES,
    "PaymentIntentUpdateParams": PAYMENT_METHOD_TYPES,
    "PaymentIntentConfirmParams": PAYMENT_METHOD_TYPES,
    "SetupIntentCreateParams": PAYMENT_METHOD_TYPES,
    "SetupIntentUpdateParams": PAYMENT_METHOD_TYPES,
    "checkout.SessionCreateParams": PAYMENT_METHOD_TYPES,
    "CustomerCreateParams": COUPON,
    "CustomerUpdateParams": COUPON,
    "PromotionCodeCreateParams": COUPON_OF_CODE,
    "SubscriptionScheduleCreateParams": ITERATIONS,
}


def at_version(operation: str, spec: Field, raw: Params, version: str | None) -> Field:
    """What the operation takes from this request at this version (None: it named none).

    Raises Refused where the parameter is gone and Stripe says so in so many words.
    """
    retired = RETIRED.get(operation)
    top = retired and (retired.inside or retired.name)
    if retired is None or top not in raw or retired.name in (spec.fields or {}):
        return spec
    if version is not None and version[:10] >= retired.removed_in:
        if retired.code == "parameter_unknown":
            return spec
        raise errors.Refused(
            400,
            f"The {retired.name} parameter is no longer supported as of API version {retired.removed_in}.",
            code=retired.code,
            param=retired.name,
        )
    if retired.inside is None:
        return added(spec, retired)
    whole = (spec.fields or {})[retired.inside]
    assert whole.item is not None  # noqa: S101 - so far only lists have parts that were retired
    part = replace(whole, item=added(whole.item, retired))
    return replace(spec, fields={**(spec.fields or {}), retired.inside: part})


def added(spec: Field, retired: Retired) -> Field:
    fields = {**(spec.fields or {}), retired.name: retired.kind}
    return replace(spec, fields=fields, required=spec.required - {retired.instead or ""})
