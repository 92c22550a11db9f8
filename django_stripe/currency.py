"""Owns how many decimals a currency has at Stripe. https://docs.stripe.com/currencies#zero-decimal"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

# ISK and UGX have no decimals either, yet are sent as hundredths.
_DECIMALS: Final = {
    **dict.fromkeys("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(), 0),  # noqa: SIM905
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
}


def decimals(currency: str) -> int:
    """Return how many decimals an amount in `currency` (``"usd"``) has: its minor unit is the last of them."""
    return _DECIMALS.get(currency.upper(), 2)


def amount_text(amount_minor: int, currency: str | None) -> str:
    """Return an amount as people write it: ``12.34 EUR``; in minor units if its currency is not known."""
    if not currency:
        return str(amount_minor)
    return f"{Decimal(amount_minor).scaleb(-decimals(currency)):f} {currency.upper()}"
