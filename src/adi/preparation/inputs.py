"""The input of a preparation: a schema in any form, and the tables that it names, in files or in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from adi.data.manifest import FILE as MANIFEST
from adi.engines.engine import Engine
from adi.engines.file_access import allow_files
from adi.engines.open import open_table
from adi.engines.tables import RawTable
from adi.errors import AdiError, ArgumentError, suggestion
from adi.preparation.cleaning import Log
from adi.preparation.corpus import Pairs, open_pairs, paths_of_pairs
from adi.preparation.feature_table import FeatureTable, features_of
from adi.preparation.logs import LOG, TEST_ROWS, open_logs
from adi.schema import FilesSplit, Schema, Split, load_schema
from adi.strict import describe

AnySchema = str | Path | Mapping[str, Any] | Schema
"""The path of a schema file or of its folder, what the file holds, or that as an object."""


@dataclass(frozen=True)
class Inputs:
    """The tables of a schema, checked before any row is read.

    They are the log and the file of test rows; the feature tables by name; and the tables of pairs by key.
    """

    logs: list[Log]
    tables: dict[str, FeatureTable]
    pairs: dict[str, Pairs]


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
        if (path / MANIFEST).exists():
            raise AdiError(f"{path}: is a prepared dataset. Give the schema.yaml beside its tables, or their folder.")
        path = path / "schema.yaml" if path.is_dir() else path
        return SchemaSource(load_schema(path), str(path), path.parent, path.read_bytes())
    if not isinstance(schema, Schema):
        try:
            schema = Schema.model_validate(schema)
        except ValidationError as error:
            raise ArgumentError("schema", describe(error, Schema, schema)) from None
    return SchemaSource(schema, "schema", Path(), _text_of(schema))


def _text_of(schema: Schema) -> bytes:
    content = schema.model_dump(mode="json", exclude_unset=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def open_inputs(engine: Engine, source: SchemaSource, in_memory: Mapping[str, object]) -> Inputs:
    """Find and check all tables; read no row. `in_memory` has tables that take the place of the schema's paths.

    From then on the engine's DuckDB can read their files alone. Raises `AdiError` for a table that is not there, and
    for a column that is missing or of a type that does not fit.
    """
    schema, connection = source.schema, engine.reader
    _check_names(schema, in_memory)
    tables = _find_tables(engine, source, in_memory)
    allow_files(connection, tables.values())
    logs = open_logs(connection, schema, tables)
    of_features = {name: tables[_key(name)] for name in schema.tables if _key(name) in tables}
    features = {name: FeatureTable(connection, name, schema, table) for name, table in of_features.items()}
    pairs = {key: open_pairs(connection, schema, key, tables[key]) for key in paths_of_pairs(schema)}
    return Inputs(logs, features, pairs)


def _find_tables(engine: Engine, source: SchemaSource, in_memory: Mapping[str, object]) -> dict[str, RawTable]:
    """The tables that are to be read, by their keys in the schema."""
    schema = source.schema
    paths: dict[str, str | None] = {LOG: schema.interactions.path}
    if isinstance(schema.split, FilesSplit):
        paths[TEST_ROWS] = schema.split.test
    for name, table in schema.tables.items():
        is_shown = schema.display is not None and schema.display.table == name
        if is_shown or features_of(name, (*schema.features.user, *schema.features.item)):
            paths[_key(name)] = table.path
    paths |= paths_of_pairs(schema)
    given = {LOG if name == LOG else _key(name): table for name, table in in_memory.items()}
    tables: dict[str, RawTable] = {}
    for key, path in paths.items():
        name = key.removeprefix(_key(""))
        if key in given:
            tables[key] = engine.table_in_memory(name, given[key])
        elif path is not None:
            tables[key] = open_table(engine, path, source.folder)
        else:
            raise AdiError(
                f"{source.name}: {key}.path: is missing. Name the table's files there, or give adi.prepare the table "
                f'itself: tables["{name}"].'
            )
    return tables


def _key(table: str) -> str:
    return f"tables.{table}"


def _check_names(schema: Schema, in_memory: Mapping[str, object]) -> None:
    for name in schema.tables:
        if LOG in in_memory and name.casefold() == LOG:
            raise ArgumentError("tables", f"'{LOG}' is the log, and the schema has a table '{name}'. Rename the table.")
    known = (LOG, *schema.tables)
    for name in in_memory:
        if name not in known:
            raise ArgumentError(
                "tables", f"'{name}' is not a table of the schema ({', '.join(known)}).{suggestion(name, known)}"
            )
