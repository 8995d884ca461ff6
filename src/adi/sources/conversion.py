"""Parts of every conversion of a public data set: reading text files, and writing tables, schema and row counts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from adi.errors import AdiError
from adi.schema import Schema

Connection = duckdb.DuckDBPyConnection


@contextmanager
def working_database() -> Iterator[Connection]:
    """An empty DuckDB in memory that spills to a temporary folder instead of the current one."""
    with TemporaryDirectory(prefix="adi-duckdb-") as spill, duckdb.connect() as connection:
        connection.execute("SET temp_directory = ?", [spill])
        yield connection


@contextmanager
def reading_text(file: Path) -> Iterator[None]:
    """Turn what DuckDB raises inside into an `AdiError` that names `file`, the only one that is read there."""
    try:
        yield
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.IOException) as error:
        # After the first paragraph DuckDB recommends options that the user does not have, and quotes our SQL.
        reason = str(error).split("\n\n")[0].split("\nPossible fixes")[0]
        raise AdiError(f"{file}: cannot be read: {' '.join(reason.split())}") from error


def read_tsv(connection: Connection, file: Path, *, names: list[str] | None = None) -> duckdb.DuckDBPyRelation:
    """A tab-separated file as text. Quotes are ordinary characters; `names` are the columns of a file without header.

    Call it, and use the relation, inside `reading_text`.
    """
    # DuckDB takes the path for a glob; a character in brackets stands for itself.
    path = "".join(f"[{character}]" if character in "*?[" else character for character in str(file))
    options: dict[str, Any] = {"header": True} if names is None else {"header": False, "names": names}
    return connection.read_csv(path, delimiter="\t", quotechar="", all_varchar=True, **options)


def count(connection: Connection, table: str) -> int:
    """The number of rows of a table, or of any SQL that can follow FROM."""
    (rows,) = connection.sql(f"SELECT count(*) FROM {table}").fetchall()[0]
    return int(rows)


def write_table(connection: Connection, query: str, path: Path) -> None:
    """Write the rows of a query, in its order, as one Parquet file."""
    connection.sql(query).write_parquet(str(path), compression="zstd")


def write_schema(folder: Path, title: str, content: dict[str, Any]) -> None:
    """Write `schema.yaml`. Raises pydantic's ValidationError for an invalid schema, a fault of the conversion."""
    Schema.model_validate(content)
    body = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
    (folder / "schema.yaml").write_text(
        f"# {title}.\n# Where the data comes from, and its terms: docs/datasets.md.\n{body}", encoding="utf-8"
    )


def write_counts(folder: Path, name: str, *, read: int, set_aside: dict[str, int]) -> None:
    """Write `conversion.json`: the rows of the published log read, kept, and set aside by reason."""
    rows = {"read": read, "kept": read - sum(set_aside.values()), "set_aside": set_aside}
    text = json.dumps({"dataset": name, "rows": rows}, indent=2, ensure_ascii=False)
    (folder / "conversion.json").write_text(text + "\n", encoding="utf-8")
