"""Owns the metadata keys that a platform names: a generated column for each, added by the platform's own migration.

Behind row-level security PostgreSQL uses an index only for what is leakproof. The ``->>`` and ``@>`` of JSON are not;
the ``=`` of a text column is. Note on what is no field: migrations of our apps are not the platform's to change, so the
column is in the database alone, no model knows of it, and `MetadataKey` is how queries name it.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.utils import truncate_name
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Col, F
from django.db.models.lookups import Exact

from django_stripe.common import columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState
    from django.db.models import Field

KEY_CHARACTERS_MAX: Final = 40

# In the state of a migration only, where no other field has this name.
FIELD: Final = "metadata_key"

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_]*")
_IN_NAMES_MAX: Final = 63
"""Of PostgreSQL's names, in bytes; the longest column has 59."""


def column_name(key: str) -> str:
    """Return the column of the metadata key `key`: ``metadata_order_id``; ``metadata__order_id_…`` for "Order-Id".

    No two keys share one: two underscores begin the names that have a hash. Raises ValueError for what is no key of
    Stripe's: 1 to 40 characters, and no square brackets. https://docs.stripe.com/metadata
    """
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or set(key) & set("[]\0"):
        raise ValueError(
            f"{key!r} is no metadata key: it needs 1 to {KEY_CHARACTERS_MAX} characters, and no square brackets."
        )
    if _PLAIN.fullmatch(key):
        return f"metadata_{key}"
    slug = re.sub("[^a-z0-9]+", "_", key.lower()).strip("_")
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return "_".join(filter(None, ("metadata_", slug, digest)))


class AddMetadataKey(Operation):
    """Derive a column from the metadata key `key` of a mirrored object, and index it within each account.

    For a migration of your own that depends on the object's: ``AddMetadataKey("stripe_charge", "Charge", "order_id")``.
    It is done where the object's table is, changes no model, and rewrites the table, which is locked meanwhile.
    """

    category = OperationCategory.ADDITION

    def __init__(self, object_app: str, object_name: str, key: str) -> None:
        self.column = column_name(key)
        self.object_app, self.object_name, self.key = object_app, object_name, key

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no model: the column is the database's alone."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = self._model(to_state)
        # Not whether the migration's own app is there: in schemas the objects' tables may be elsewhere.
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        schema_editor.add_field(model, model._meta.get_field(FIELD))  # type: ignore[arg-type]
        index = models.Index(
            fields=("connect_account_id", FIELD),
            name=truncate_name(f"{model._meta.db_table}_{self.column}", _IN_NAMES_MAX, hash_len=8),
            condition=models.Q(**{f"{FIELD}__isnull": False}),
        )
        schema_editor.add_index(model, index)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = self._model(to_state)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            # Its index goes with it.
            schema_editor.remove_field(model, model._meta.get_field(FIELD))  # type: ignore[arg-type]

    def _model(self, state: ProjectState) -> type[models.Model]:
        """Return the object's model with the column as a field, in a state that nobody else sees."""
        name = self.object_name.lower()
        if (self.object_app, name) not in state.models:
            raise LookupError(
                f"There is no {self.object_app}.{self.object_name} yet. Let the migration depend on its first: "
                f'("{self.object_app}", "0001_initial").'
            )
        own = state.clone()
        field = columns.Text("metadata", self.key, db_column=self.column)
        own.add_field(self.object_app, name, FIELD, field, preserve_default=True)
        return own.apps.get_model(self.object_app, name)

    def describe(self) -> str:
        return f"Derive {self.column} from the metadata key {self.key!r} of {self.object_app}.{self.object_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.object_name.lower()}_{self.column}"


class MetadataKey(F):
    """The value of a metadata key that `AddMetadataKey` has given a column, wherever an ``F()`` may stand.

    ``Charge.objects.order_by(MetadataKey("order_id"))``. It is text, or null where the object has no such key.
    `relation` leads to the mirrored object from another model: ``MetadataKey("order_id", relation="charge")``.
    A "column … does not exist" of PostgreSQL's says that the migration with `AddMetadataKey` was not run.
    """

    name: str

    def __init__(self, key: str, *, relation: str = "") -> None:
        column_name(key)
        super().__init__(f"{relation}{LOOKUP_SEP}data" if relation else "data")
        self.key = key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r} of {self.name})"

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and self.key == getattr(other, "key", None)

    def __hash__(self) -> int:
        return hash((self.name, self.key))

    def resolve_expression(self, *args: Any, **kwargs: Any) -> MetadataColumn:
        """Return the column beside `data`, in whatever table or join the query has it."""
        data: Any = super().resolve_expression(*args, **kwargs)
        if not isinstance(data, Col):
            raise FieldError(f"{self.name} is not the data of a mirrored object.")
        return MetadataColumn(data.alias, data.target, self.key)


class MetadataColumn(Col):
    """A `MetadataKey` in its query: ``"alias"."metadata_order_id"``.

    Its target is the field `data`, which there is, so that a query can be pickled and compared.
    """

    def __init__(self, alias: str, target: Field[Any, Any], key: str) -> None:
        super().__init__(alias, target, models.TextField(null=True))
        self.key = key

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        derived = copy.copy(self.target)
        derived.column = column_name(self.key)
        return Col(self.alias, derived).as_sql(compiler, connection)

    def relabeled_clone(self, relabels: Mapping[str | None, str]) -> MetadataColumn:  # type: ignore[override]
        return type(self)(relabels.get(self.alias, self.alias), self.target, self.key)

    def get_db_converters(self, connection: BaseDatabaseWrapper) -> list[Any]:
        """Not those of `data`, which would read the text as JSON."""
        return self.output_field.get_db_converters(connection)


def equal(values: Mapping[str, str]) -> Iterator[Exact[Any]]:
    """Yield the conditions that metadata has these values. Raises TypeError for what is no text."""
    for key, value in values.items():
        if not isinstance(value, str):
            raise TypeError(
                f"The metadata key {key!r} is compared with {value!r}: values at Stripe are text, give a str."
            )
        yield Exact(MetadataKey(key), value)
