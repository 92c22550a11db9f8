"""Owns what a schema may be called: an account's own id, and no name that SQL could misread."""

from __future__ import annotations

import re
from typing import Final

PLATFORM_SCHEMA: Final = "platform"
"""Where the platform's own objects are: a place like a merchant's, so that no context falls back on its rows."""

# An allowlist: django-tenants' own pattern takes in `information_schema`, spaces, and names that differ in how they
# are shown alone. 63 bytes is what PostgreSQL keeps of a name; a longer one it would cut off, and share.
ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9]{1,58}")


class UnsafeName(ValueError):
    """This account's id cannot name a schema. Provisioning shows it; an event of such an account is parked."""


def schema_of(key: str) -> str:
    """Return the schema of the account `key` (``""``: the platform): its id, letter by letter.

    Never lower-cased: Stripe's ids differ in case. Raises UnsafeName for what is no id of Stripe's form.
    """
    if not key:
        return PLATFORM_SCHEMA
    if not ACCOUNT.fullmatch(key):
        raise UnsafeName(
            f"{key[:80]!r} names no schema: an account's id is acct_ and up to 58 letters and digits. Pass the id as "
            "Stripe gave it."
        )
    return key
