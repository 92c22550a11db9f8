"""Owns the derived columns: stored generated columns of `data`, so that a column can never disagree with the JSON.

Only types whose comparison is leakproof (text, bigint, boolean, timestamptz): any other would lose its
index behind row-level security. Adding one to a large table rewrites it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.expressions import Expression
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Coalesce


def _value(path: tuple[str, ...]) -> KeyTextTransform:
    *parents, key = path
    source: Any = "data"
    for parent in parents:
        source = KeyTransform(parent, source)
    return KeyTextTransform(key, source)


class Column(models.GeneratedField):
    """A stored generated column of `data`, named by the keys that lead to it: ``Text("outcome", "type")``."""

    kind: ClassVar[type[models.Field[Any, Any]]]

    def __init__(self, *path: str, **options: Any) -> None:
        self.path = path
        super().__init__(
            expression=self.expression_of(path),
            output_field=self.kind(null=True),
            db_persist=True,
            **options,
        )

    @classmethod
    def expression_of(cls, path: tuple[str, ...]) -> Expression:
        return Cast(_value(path), cls.kind())

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, _, options = super().deconstruct()
        for derived in ("expression", "output_field", "db_persist"):
            options.pop(derived, None)
        return name, path, list(self.path), options


class Text(Column):
    """A text, such as a status or a currency."""

    kind = models.TextField

    @classmethod
    def expression_of(cls, path: tuple[str, ...]) -> Expression:
        return _value(path)


class Reference(Text):
    """The id of another object, which Stripe sends as a text or, expanded, as the object itself."""

    @classmethod
    def expression_of(cls, path: tuple[str, ...]) -> Expression:
        return Coalesce(_value((*path, "id")), _value(path))


class Amount(Column):
    """Money in the currency's minor unit, signed; or any other integer."""

    kind = models.BigIntegerField


class Flag(Column):
    """True, false, or null where the object does not say."""

    kind = models.BooleanField


class _ToTimestamp(models.Func):
    function = "to_timestamp"
    output_field = models.DateTimeField()


class Moment(Column):
    """A time, which Stripe sends as seconds since 1970."""

    kind = models.DateTimeField

    @classmethod
    def expression_of(cls, path: tuple[str, ...]) -> Expression:
        return _ToTimestamp(Cast(_value(path), models.FloatField()))
