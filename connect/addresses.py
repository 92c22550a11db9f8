"""Owns where Stripe reaches the project: the addresses of its webhooks, as the whole internet sees them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from django.urls import NoReverseMatch, reverse

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class UnusableAddress(ValueError):
    """Stripe could not deliver to this address. The command says so to the operator."""


def webhook_address(base: str, name: str) -> str:
    """Return the address of the endpoint `name` under `base`, which `base_address` returned.

    Raises UnusableAddress where the project has no webhooks.
    """
    try:
        return base + reverse("connect:webhook", args=[name])
    except NoReverseMatch:
        raise UnusableAddress(
            'The webhooks have no address: add path("stripe/", include("connect.urls")) to ROOT_URLCONF.'
        ) from None


def base_address(text: str, *, livemode: bool) -> str:
    """Return `text`, the address of the project, as others are compared with it.

    Raises UnusableAddress for one that Stripe could not deliver to; in live mode it takes https only, to a host that
    the whole internet can reach. https://docs.stripe.com/webhooks
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UnusableAddress(f"{text!r} is no address.") from None
    if parts.scheme not in DEFAULT_PORTS or not host or parts.query or parts.fragment:
        raise UnusableAddress(f"{text!r} is no address like https://shop.example.")
    if "@" in parts.netloc:
        raise UnusableAddress("The address must not hold a user name or a password.")
    if livemode and parts.scheme != "https":
        raise UnusableAddress(f"In live mode Stripe delivers to https only, not to {text}.")
    if livemode and not _is_public(host):
        raise UnusableAddress(
            f"{host} cannot be reached from the internet. For events on your own machine use test mode "
            "and `stripe listen`."
        )
    host = f"[{host}]" if ":" in host else host
    if port is not None and port != DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host.rstrip(".") and not host.rstrip(".").endswith((".localhost", ".local"))
