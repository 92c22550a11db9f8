"""Connected accounts, ready to be paid."""

from typing import Any, Self

from connect.testing.stand_in import StandIn

CAPABILITIES: Any = {"card_payments": {"requested": True}, "transfers": {"requested": True}}


class Merchants(list[str]):
    """The ids of onboarded accounts: `first, second = merchants`."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__()
        self._stand_in = stand_in

    @classmethod
    def onboarded(cls, stand_in: StandIn, count: int) -> Self:
        made = cls(stand_in)
        for _ in range(count):
            made.another()
        return made

    def another(self, **params: Any) -> str:
        """Create and onboard one more: an Express account of the US, unless `params` say otherwise."""
        kind = {} if "controller" in params else {"type": "express"}
        wanted: Any = {"country": "US", "capabilities": CAPABILITIES, **kind, **params}
        account = self._stand_in.client().v1.accounts.create(wanted).id
        self._stand_in.onboard(account)
        self.append(account)
        return account
