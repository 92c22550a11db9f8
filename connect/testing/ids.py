"""Ids and secrets that look like Stripe's: the same ones every time when a seed is given."""

import random
import string

BASE62 = string.digits + string.ascii_letters
# What follows the prefix: a fixed lead and the number of random characters.
SHAPES = {
    "ac": ("", 32),
    "acct": ("1", 15),
    "ca": ("", 32),
    "ch": ("3", 23),
    "cs_test": ("a1", 56),
    "cus": ("", 14),
    "ed_test": ("6", 45),
    "evt_test": ("6", 45),
    "pi": ("3", 23),
    "prod": ("", 14),
    "py": ("3", 23),
    "pyr": ("1", 23),
    "re": ("3", 23),
    "req": ("", 14),
    "sub": ("1", 23),
    "whsec": ("", 32),
}


class Ids:
    """Not secrets in any sense: a seeded generator is the point."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def new(self, prefix: str) -> str:
        lead, length = SHAPES.get(prefix, ("1", 23))
        return f"{prefix}_{lead}{self.characters(length)}"

    def characters(self, length: int, alphabet: str = BASE62) -> str:
        return "".join(self._random.choices(alphabet, k=length))
