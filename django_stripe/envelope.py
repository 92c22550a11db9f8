"""Owns reading the envelope of an event: strictly, and whoever sent something else is told what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

ID_LENGTH_MAX: Final = 255
INTEGER_DIGITS_MAX: Final = 4000
CREATED_UNIX_MAX: Final = 253_402_300_799  # the end of the year 9999, the last that Python can say


class InvalidEvent(ValueError):
    """These bytes are no event of the kind expected. The webhook view answers 400; nobody else need catch it."""


def read(body: bytes | str) -> tuple[str, dict[str, Any]]:
    """Return the JSON of an event as text, and what it says. Raises InvalidEvent."""
    text = _decode(body)
    envelope = load(text)
    if not isinstance(envelope, dict):
        raise InvalidEvent("The body is JSON, but no object: an event is expected.")
    return text, envelope


def load(text: str) -> object:
    """Read JSON that Stripe sent. Raises InvalidEvent for what is none."""
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        if "depth limit" in str(error):
            raise InvalidEvent("The body is nested too deeply to be an event.") from None
    # Stricter than JSON, orjson refuses lone surrogates and numbers beyond a double: such an event is to be kept.
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_integer)
    except RecursionError:
        raise InvalidEvent("The body is nested too deeply to be an event.") from None
    except ValueError as error:
        raise InvalidEvent(f"The body is not JSON: {error}") from None


def plain_text(value: object) -> str | None:
    """Return a value that is fit to be a key or a label, else None: it goes into text columns and log lines."""
    if isinstance(value, str) and 0 < len(value) <= ID_LENGTH_MAX and value.isprintable():
        return value
    return None


def required_text(envelope: dict[str, Any], key: str) -> str:
    """Return a text that every event has. Raises InvalidEvent."""
    value = plain_text(envelope.get(key))
    if value is None:
        raise InvalidEvent(
            f'The event\'s "{key}" is missing, or is no text of up to {ID_LENGTH_MAX} characters.'
        )
    return value


def inner(envelope: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object in `envelope`; an empty one where there is none."""
    value = envelope.get(key)
    return value if isinstance(value, dict) else {}


def required_livemode(envelope: dict[str, Any]) -> bool:
    """Return the mode of an event. Raises InvalidEvent."""
    value = envelope.get("livemode")
    if not isinstance(value, bool):
        raise InvalidEvent('The event\'s "livemode" is neither true nor false.')
    return value


def _decode(body: bytes | str) -> str:
    if isinstance(body, str):
        return body
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent(
            f"The body is not UTF-8: {error.reason} at byte {error.start}."
        ) from None


def _integer(digits: str) -> int | str:
    """Python refuses to read endless integers; such a one is in the object, which PostgreSQL is to judge."""
    return int(digits) if len(digits) < INTEGER_DIGITS_MAX else digits


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")
