"""The input of a preparation: a schema in any form, and the tables that it names, in files or in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from adi.engines.engine import Engine
from adi.engines.open import open_table
from adi.engines.tables import RawTable
from adi.errors import AdiError, ArgumentError, suggestion
from adi.preparation.cleaning import Log
from adi.preparation.feature_table import FeatureTable, features_of
from adi.preparation.logs import open_logs
from adi.schema import Schema, Split, load_schema
from adi.strict import describe

AnySchema = str | Path | Mapping[str, Any] | Schema
"""The path of a schema file or of its folder, what the file holds, or that as an object."""

LOG = "interactions"
"""The name of the log among the tables in memory."""


@dataclass(frozen=True)
class Inputs:
    """The tables of a schema, checked before any row is read: the log and the test's file, and the feature tables."""

    logs: list[Log]
    tables: dict[str, FeatureTable]


@dataclass(frozen=True)
class SchemaSource:
    """A schema, what messages call it, the folder that its paths are relative to, and the text to keep of it."""

    schema: Schema
    name: str
    folder: Path
    text: bytes

    def with_split(self, split: Split) -> "SchemaSource":
        """The same tables with another split."""
        schema = self.schema.model_copy(update={"split": split})
        return replace(self, schema=schema, text=_text_of(schema))


def read_schema(schema: AnySchema | SchemaSource) -> SchemaSource:
    """Read a schema. Raises `AdiError` for a file that cannot be read and for a schema that is not valid."""
    if isinstance(schema, SchemaSource):
        return schema
    if isinstance(schema, str | Path):
        path = Path(schema)
        path = path / "schema.yaml" if path.is_dir() else path
        return SchemaSource(load_schema(path), str(path), path.parent, path.read_bytes())
    if not isinstance(schema, Schema):
        try:
            schema = Schema.model_validate(schema)
        except ValidationError as error:
            raise ArgumentError("schema", describe(error, Schema)) from None
    return SchemaSource(schema, "schema", Path(), _text_of(schema))


def _text_of(schema: Schema) -> bytes:
    content = schema.model_dump(mode="json", exclude_unset=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def open_inputs(engine: Engine, source: SchemaSource, in_memory: Mapping[str, object]) -> Inputs:
    """Find and check all tables; read no row. `in_memory` has tables that take the place of the schema's paths.

    Raises `AdiError` for a table that is not there, and for a column that is missing or of a type that does not fit.
    """
    schema = source.schema
    _check_names(schema, in_memory)

    def table_of(name: str, key: str, path: str | None) -> RawTable:
        if name in in_memory:
            return engine.table_in_memory(name, in_memory[name])
        if path is None:
            raise AdiError(
                f"{source.name}: {key}.path: is missing. Name the table's files there, or give adi.prepare the table "
                f'itself: tables["{name}"].'
            )
        return open_table(engine, path, source.folder)

    log = table_of(LOG, LOG, schema.interactions.path)
    logs = open_logs(engine, schema, log, source.folder)
    tables = {}
    for name, settings in schema.tables.items():
        if features_of(name, (*schema.features.user, *schema.features.item)):
            table = table_of(name, f"tables.{name}", settings.path)
            tables[name] = FeatureTable(engine.reader, name, schema, table)
    return Inputs(logs, tables)


def _check_names(schema: Schema, in_memory: Mapping[str, object]) -> None:
    if LOG in in_memory and LOG in schema.tables:
        raise ArgumentError("tables", f"'{LOG}' is the log, and a table of the schema has this name. Rename the table.")
    known = (LOG, *schema.tables)
    for name in in_memory:
        if name not in known:
            raise ArgumentError(
                "tables", f"'{name}' is not a table of the schema ({', '.join(known)}).{suggestion(name, known)}"
            )
