"""Owns what the webhook endpoints at Stripe are to be, and how those that are there differ from it.

There are three: ``platform`` hears of the platform's own account, ``connect`` of the accounts connected to it,
``thin`` of thin events of both. The first two are given the same list of events: how a charge is made
decides whose it is, and a type that never occurs in a scope costs nothing.
https://docs.stripe.com/connect/webhooks
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from connect.conf import THIN

ENDPOINTS_MAX: Final = 16  # an account and mode. https://docs.stripe.com/webhooks

# v2 tells of connected accounts in the platform's own scope; v1's thin events are of the account they happened on.
THIN_SCOPES: Final = ("@accounts", "@self")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An endpoint as it is to be. `former_url` is where it was before the project moved."""

    name: str
    url: str
    events: frozenset[str]
    api_version: str | None = None
    former_url: str | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a thin one hears of; a snapshot one has one scope, which Stripe does not tell."""
        return THIN_SCOPES if self.name == THIN else ()


@dataclass(frozen=True, slots=True)
class Found:
    """An endpoint as it is at Stripe. `mark` is our name of it, if we made it."""

    id: str
    url: str
    events: frozenset[str]
    api_version: str | None
    enabled: bool
    scopes: tuple[str, ...] = ()
    mark: str = ""
    secret_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A wanted endpoint, and what is there of it.

    `current` is the newest that can be made as wanted. The `superseded` stand beside it: their secret is rotated
    out, or they are of another API version, which cannot be changed. `elsewhere` are marked as ours,
    but are of another address: another deployment's, or from before a move. They are not touched.
    """

    wanted: Wanted
    current: Found | None
    superseded: list[Found] = field(default_factory=list)
    elsewhere: list[Found] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.wanted.name

    @property
    def several(self) -> bool:
        return len(self.superseded) + (self.current is not None) > 1

    def changes(self) -> list[str]:
        """Say what the current one is that an update would change: ``"disabled"``."""
        current, wanted = self.current, self.wanted
        if current is None:
            return []
        missing, superfluous = wanted.events - current.events, current.events - wanted.events
        said = []
        if current.url != wanted.url:
            said.append(f"at {current.url}, not at {wanted.url}")
        if missing:
            said.append(f"without {_listed(missing)}")
        if superfluous:
            said.append(f"sent {_listed(superfluous)}, which nothing here wants")
        if not current.enabled:
            said.append("disabled")
        return said

    def drift(self, secrets: Collection[str]) -> list[str]:
        """Say everything that is not as wanted; `secrets` are the fingerprints of those that are configured."""
        said = [f"{self.current.id} is {change}" for change in self.changes() if self.current]
        if self.current is None:
            said.append(f"there is no endpoint at {self.wanted.url}{self._of_this_kind()}")
            said += [
                f"{other.id} at {other.url} was made by this command: if the project moved from there, "
                "say so, --moved-from"
                for other in self.elsewhere
            ]
        elif self.current.secret_sha256 and self.current.secret_sha256 not in secrets:
            said.append(
                f"{self.current.id} signs with a secret that is not in STRIPE_WEBHOOK_SECRETS: "
                "its events are refused"
            )
        return said + [f"{other.id} {self.why_superseded(other)}" for other in self.superseded]

    def why_superseded(self, other: Found) -> str:
        wanted = self.wanted
        if other.api_version != wanted.api_version:
            default = "the account's default"
            version = wanted.api_version or "none, as thin events are"
            return f"is of API version {other.api_version or default}, not {version}"
        if other.scopes != wanted.scopes:
            return f"hears of {_listed(other.scopes)}, not of {_listed(wanted.scopes)}"
        return "is one of several at this address"

    def _of_this_kind(self) -> str:
        if not self.superseded:
            return ""
        return f" with API version {self.wanted.api_version}" if self.wanted.api_version else ""


def standing(wanted: Wanted, newest_first: Iterable[Found]) -> Standing:
    """Find the wanted endpoint among those of its kind at Stripe. The address decides, nothing else.

    What is at another address is somebody else's, whatever it is marked as: a second deployment in the same
    account is as much ours as this one. The address says the scope, too, which Stripe does not.
    """
    addresses = {wanted.url, wanted.former_url}
    current: Found | None = None
    superseded, elsewhere = [], []
    for found in newest_first:
        if found.url not in addresses:
            elsewhere += [found] if found.mark == wanted.name else []
        elif current is None and (found.api_version, found.scopes) == (
            wanted.api_version,
            wanted.scopes,
        ):
            current = found
        else:
            superseded.append(found)
    return Standing(wanted, current, superseded, elsewhere)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
