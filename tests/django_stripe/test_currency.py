"""Money as people write it."""

import pytest

from django_stripe.currency import amount_text, decimals


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (1234, "eur", "12.34 EUR"),
        (-5, "usd", "-0.05 USD"),
        (1200, "usd", "12.00 USD"),
        (500, "jpy", "500 JPY"),
        (1500, "kwd", "1.500 KWD"),
        (500, "isk", "5.00 ISK"),
        (500, None, "500"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(amount_minor, currency, text):
    assert amount_text(amount_minor, currency) == text


def test_stripes_exceptions_are_known():
    assert [decimals(c) for c in ("jpy", "UGX", "isk", "huf", "twd", "bhd", "eur")] == [
        0,
        2,
        2,
        2,
        2,
        3,
        2,
    ]
