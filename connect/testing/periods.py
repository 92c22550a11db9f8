"""Calendar arithmetic for billing: a month after January 31st is the last of February."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta

from connect.testing import errors

# https://docs.stripe.com/api/prices/create: three years at most
COUNT_MAX = {"day": 1095, "week": 156, "month": 36, "year": 3}
UNIX_MAX = 32_503_680_000  # the year 3000


def after(unix: int, interval: str, count: int = 1) -> int:
    """The second that lies `count` intervals (day, week, month, year) after this one, in UTC.

    Raises Refused for more than three years, and for seconds that are no time.
    """
    if not 0 < count <= COUNT_MAX[interval]:
        message = "Invalid recurring[interval_count]: a period lasts for three years at most."
        raise errors.Refused(400, message, param="recurring[interval_count]")
    if not 0 <= unix < UNIX_MAX:
        raise errors.Refused(400, "Invalid timestamp: must be a time in seconds since the epoch.")
    start = datetime.fromtimestamp(unix, UTC)
    if interval in {"day", "week"}:
        return int((start + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = start.month - 1 + count * (12 if interval == "year" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())
