"""What a request may say: form encoding, and the parameters that Stripe's own generated types allow.

The SDK ships one TypedDict for each operation, generated from Stripe's OpenAPI. Reading those at run time refuses
unknown, missing and ill-typed parameters as Stripe does, for every operation, with nothing to keep up to date here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache, reduce
from importlib import import_module
from types import SimpleNamespace, UnionType
from typing import Any, Literal, NotRequired, TypeAlias, Union, get_args, get_origin
from urllib.parse import parse_qsl

import orjson
from stripe._request_options import RequestOptions
from typing_extensions import get_type_hints, is_typeddict

from connect.testing import errors

# mypy takes what `get_origin` answers for something that NotRequired can never be.
optional: Any = NotRequired
Params: TypeAlias = dict[str, Any]
FIELDS_MAX = 2_000
DEPTH_MAX = 12
INTEGER = re.compile(r"-?\d{1,18}")
NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,12})?")
CONVERSIONS: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = (
    ("bool", re.compile("true|false"), "true".__eq__),
    ("int", INTEGER, int),
    ("float", NUMBER, float),
    ("decimal", NUMBER, str),
)


@dataclass(frozen=True)
class Field:
    """The kinds of value one parameter takes, a union of them flattened."""

    scalars: frozenset[str] = frozenset()
    choices: tuple[str, ...] = ()
    fields: dict[str, "Field"] | None = None
    required: frozenset[str] = frozenset()
    item: "Field | None" = None
    mapping: bool = False

    @property
    def unsettable(self) -> bool:
        return "" in self.choices

    def merged(self, other: "Field") -> "Field":
        return Field(
            scalars=self.scalars | other.scalars,
            choices=self.choices + tuple(c for c in other.choices if c not in self.choices),
            fields=merged(self.fields, other.fields),
            # Of several objects that a parameter may be, only what all of them need is needed.
            required=self.required & other.required
            if self.fields is not None and other.fields is not None
            else self.required | other.required,
            item=self.item or other.item,
            mapping=self.mapping or other.mapping,
        )


def merged(one: dict[str, Field] | None, other: dict[str, Field] | None) -> dict[str, Field] | None:
    if one is None or other is None:
        return other if one is None else one
    return {
        **one,
        **{key: one[key].merged(spec) if key in one else spec for key, spec in other.items()},
    }


@dataclass
class Reading:
    """One pass over a request's parameters; unknown ones are gathered so that all can be named at once."""

    updates: bool = False
    unknown: list[str] = field(default_factory=list)

    def value(self, spec: Field, raw: object, name: str) -> Any:
        if isinstance(raw, dict):
            return self._composite(spec, raw, name)
        if isinstance(raw, list):
            return self._composite(spec, dict(enumerate(raw)), name)
        if raw is None:  # only JSON can say so
            return None
        text = str(raw).lower() if isinstance(raw, bool) else str(raw)
        if text == "":
            # An update may empty any text, also where Stripe's own types do not say so.
            if spec.unsettable or (self.updates and "str" in spec.scalars):
                return None
            if spec.item is None:
                raise errors.parameter_invalid_empty(name)
            return []
        return scalar(spec, text, name)

    def _composite(self, spec: Field, raw: dict[Any, Any], name: str) -> Any:
        if spec.item is not None and not (spec.fields and not looks_like_list(raw)):
            if not looks_like_list(raw) or None in raw.values():
                raise errors.invalid_type(name, "array", raw)
            return [self.value(spec.item, raw[key], f"{name}[{key}]") for key in raw]
        if spec.fields is not None:
            return self.fields(spec, raw, name)
        if spec.mapping:
            if any(isinstance(key, int) for key in raw):  # a JSON list
                raise errors.invalid_type(name, "object", list(raw.values()))
            if any(isinstance(value, dict | list) for value in raw.values()):
                raise errors.invalid_type(name, "string", "{}")
            return {key: "" if value is None else str(value) for key, value in raw.items()}
        wanted = "integer" if spec.scalars == {"int"} else "string"
        raise errors.invalid_type(name, wanted, "{}")

    def fields(self, spec: Field, raw: dict[str, Any], parent: str = "") -> Params:
        known = spec.fields or {}
        read: Params = {}
        for key, value in raw.items():
            name = f"{parent}[{key}]" if parent else str(key)
            if key in known:
                read[key] = self.value(known[key], value, name)
            else:
                self.unknown.append(name)
        for key in sorted(spec.required - {key for key in raw if raw[key] is not None}):
            if not self.unknown:
                raise errors.parameter_missing(f"{parent}[{key}]" if parent else key)
        return read


def read(operation: str, raw: dict[str, Any], spec: Field | None = None) -> Params:
    """Check and convert raw parameters. `operation` names an SDK type: `TransferCreateParams`, `checkout.Session…`.

    `spec` is what it takes where that is not what the type says. A parameter passed empty where it may be unset reads
    as None.

    Raises Refused as Stripe would.
    """
    reading = Reading(updates=operation.endswith("UpdateParams"))
    params = reading.fields(spec or compiled(operation), raw)
    if reading.unknown:
        raise errors.parameter_unknown(reading.unknown)
    return params


# What the official CLI sends, and no document knows.
UNDOCUMENTED_CHOICES = {"jp_bank_account": "jp_bank_transfer"}


def scalar(spec: Field, text: str, name: str) -> Any:
    for choice in (text, UNDOCUMENTED_CHOICES.get(text)):
        if choice in spec.choices:
            return choice
    for kind, pattern, convert in CONVERSIONS:
        if kind in spec.scalars and pattern.fullmatch(text):
            return convert(text)
    # The SDK writes open enums as `Literal[…] | str`, so that it survives tomorrow's values; the API takes today's.
    if any(spec.choices):
        raise errors.invalid_choice(name, [choice for choice in spec.choices if choice])
    if "str" in spec.scalars:
        return text
    raise refused_scalar(spec, text, name)


def refused_scalar(spec: Field, text: str, name: str) -> errors.Refused:
    if "int" in spec.scalars:
        return errors.parameter_invalid_integer(name, text)
    if "bool" in spec.scalars:
        return errors.invalid_type(name, "boolean", text)
    if spec.scalars:
        return errors.invalid_type(name, "decimal", text)
    return errors.invalid_type(name, "array" if spec.item else "object", text)


@cache
def compiled(operation: str) -> Field:
    *packages, name = operation.split(".")
    module = "_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    sdk_type = getattr(import_module(".".join(["stripe.params", *packages, module])), name)
    spec = typed_dict(sdk_type)
    text = Field(scalars=frozenset({"str"}))
    # v1 expands everywhere; v2 does not, and its lists say the page in an address that is opaque to callers.
    added = {"page": text} if operation.startswith("v2.") else {"expand": Field(item=text)}
    return replace(spec, fields={**added, **(spec.fields or {})})


OPTIONS = frozenset(RequestOptions.__annotations__)


def typed_dict(sdk_type: Any) -> Field:
    # The SDK mixes the request options (api_key, stripe_account, …) into the type of the parameters.
    own = SimpleNamespace(
        __annotations__={
            key: hint for key, hint in sdk_type.__annotations__.items() if key not in OPTIONS
        }
    )
    hints: dict[str, Any] = get_type_hints(
        own, vars(import_module(sdk_type.__module__)), include_extras=True
    )
    required = frozenset(key for key, hint in hints.items() if get_origin(hint) is not optional)
    return Field(fields={key: from_hint(hint) for key, hint in hints.items()}, required=required)


SCALARS: dict[Any, tuple[str, ...]] = {
    str: ("str",),
    int: ("int",),
    bool: ("bool",),
    float: ("float",),
    Decimal: ("decimal",),
}


def from_hint(hint: Any) -> Field:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is optional:
        return from_hint(arguments[0])
    if origin in {Union, UnionType}:
        return reduce(Field.merged, map(from_hint, arguments))
    if origin is list:
        return Field(item=from_hint(arguments[0]))
    if is_typeddict(hint):
        return typed_dict(hint)
    if origin is Literal:
        return Field(choices=tuple(str(choice) for choice in arguments))
    return (
        Field(mapping=True) if origin is dict else Field(scalars=frozenset(SCALARS.get(hint, ())))
    )


def looks_like_list(raw: dict[Any, Any]) -> bool:
    return all(isinstance(key, int) or key == "" or key.isdecimal() for key in raw)


def decode_form(body: bytes) -> dict[str, Any]:
    """`a[b][0]=c` → nested dicts. Which of them are lists is for the operation's types to say.

    Raises Refused for bytes that are no form: bad UTF-8, too many fields, too deep, or contradicting themselves.
    """
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as error:
        raise errors.Refused(
            400, "Invalid request: the body or query is not a form in UTF-8."
        ) from error
    form: dict[str, Any] = {}
    for number, (key, value) in enumerate(pairs):
        insert(form, key, value, number)
    return form


def decode_json(body: bytes) -> dict[str, Any]:
    """Raises Refused for what is not one JSON object."""
    try:
        decoded = orjson.loads(body)
    except ValueError as error:
        raise errors.Refused(400, "Invalid request: the body is not JSON.") from error
    if not isinstance(decoded, dict):
        raise errors.Refused(400, "Invalid request: the body must be a JSON object.")
    return decoded


def insert(form: dict[str, Any], key: str, value: str, number: int) -> None:
    head, bracket, rest = key.partition("[")
    segments = [head, *(rest[:-1].split("][") if bracket and rest.endswith("]") else [])]
    if bracket and not rest.endswith("]"):
        raise errors.parameter_unknown([key])
    if len(segments) > DEPTH_MAX:
        raise errors.Refused(400, "Invalid request: parameters are nested too deeply.")
    place = form
    for segment in segments[:-1]:
        place = place.setdefault(segment, {})
        if not isinstance(place, dict):
            raise errors.Refused(400, "Invalid object", param=head)
    # `types[]=a&types[]=b` names no index; each gets its own.
    last = segments[-1] if segments[-1] or len(segments) == 1 else str(number)
    if isinstance(place.get(last), dict):
        raise errors.Refused(400, "Invalid object", param=head)
    place[last] = value
