"""Owns the handler whose cost is that of being called: it does nothing."""

import connect


@connect.on("charge.*")
def notice(event: connect.Event) -> None:
    """Hear of `event`."""
