"""Owns the settings: read at call time, so that tests and rotated keys are seen."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

DEFAULTS: Final[dict[str, Any]] = {
    "STRIPE_API_KEY": "",
    "STRIPE_API_BASE": "",
    "STRIPE_API_VERSION": "",
    "STRIPE_TIMEOUT_SECONDS": 20,
    "STRIPE_MAX_NETWORK_RETRIES": 2,
}

MODES: Final = ("live", "test")


def setting(name: str) -> Any:
    """Return the setting `name`, or its default."""
    return getattr(settings, name, DEFAULTS[name])


def mode_name(livemode: bool) -> str:
    """Return Stripe's word for the mode."""
    return "live" if livemode else "test"


def configured_modes() -> frozenset[bool]:
    """Return the modes (live is True) there is a key for."""
    return frozenset(livemode for livemode in (True, False) if _find_key(livemode))


def api_key(livemode: bool) -> str:
    """Return the platform's secret key of one mode.

    ``STRIPE_API_KEY`` is a key, a callable that returns one, or either of these for ``"live"`` and ``"test"``.
    Raises ImproperlyConfigured if there is none for this mode: a key of the other would find nothing.
    """
    key = _find_key(livemode)
    if not key:
        mode = mode_name(livemode)
        raise ImproperlyConfigured(
            f"There is no {mode} key in STRIPE_API_KEY. Set it to sk_{mode}_… or rk_{mode}_…, or to "
            '{"live": …, "test": …} to work in both modes.'
        )
    return key


def mode_of_key(key: str) -> bool | None:
    """Return whether a key is live (True) or test (False); None if it is no key of Stripe's."""
    prefix, _, rest = key.partition("_")
    mode = rest.partition("_")[0]
    return mode == "live" if prefix in {"sk", "rk"} and mode in MODES else None


def _find_key(livemode: bool) -> str:
    source = setting("STRIPE_API_KEY")
    if isinstance(source, dict):
        source = source.get(mode_name(livemode), "")
    key = source() if callable(source) else source
    return key if isinstance(key, str) and mode_of_key(key) is livemode else ""
