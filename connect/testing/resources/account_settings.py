"""What an account says of its business, and its settings, with Stripe's own values where nothing was said."""

from connect.testing.store import StripeObject

CURRENCIES = {
    "AU": "aud",
    "CA": "cad",
    "CH": "chf",
    "GB": "gbp",
    "IS": "isk",
    "JP": "jpy",
    "US": "usd",
}
PROFILE = (
    "annual_revenue",
    "estimated_worker_count",
    "mcc",
    "minority_owned_business_designation",
    "name",
    "product_description",
    "support_email",
    "support_phone",
    "support_url",
    "url",
)


def default_currency(country: str) -> str:
    return CURRENCIES.get(country, "eur")


def business_profile(given: StripeObject | None) -> StripeObject:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        **dict.fromkeys(PROFILE),
        "support_address": address,
        **(given or {}),
    }


def settings(given: StripeObject | None) -> StripeObject:
    descriptor = "statement_descriptor"
    payments = (descriptor, f"{descriptor}_kana", f"{descriptor}_kanji")
    prefixes = (f"{descriptor}_prefix", f"{descriptor}_prefix_kana", f"{descriptor}_prefix_kanji")
    own: StripeObject = {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            **dict.fromkeys(prefixes),
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": "never"},
        "payments": dict.fromkeys((*payments, *prefixes[1:])),
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": "daily"},
            descriptor: None,
        },
        "sepa_debit_payments": {},
    }
    return merged(own, given or {})


def merged(former: StripeObject, given: StripeObject) -> StripeObject:
    """Nested settings merge key by key."""
    result = dict(former)
    for key, value in given.items():
        old = former.get(key)
        result[key] = (
            merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return result
