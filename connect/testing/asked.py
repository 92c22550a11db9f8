"""What the API was asked: for tests of the requests that a project's own code makes."""

from dataclasses import dataclass, field
from email.message import Message

KEPT_MAX = 10_000
# The headers that say something about the caller's code. The key is none of them.
HEADERS = ("Idempotency-Key", "Stripe-Account", "Stripe-Context", "Stripe-Version", "User-Agent")


@dataclass(frozen=True)
class Asked:
    """One request as it came, and the status it was answered with: 0 if it got no answer."""

    method: str
    path: str
    query: str
    body: bytes
    status: int
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account it was made in, as the request says; "" is the platform."""
        context = self.headers.get("Stripe-Context", "").rpartition("/")[2]
        return context or self.headers.get("Stripe-Account", "")


def told(headers: Message) -> dict[str, str]:
    return {name: str(headers[name]) for name in HEADERS if name in headers}
