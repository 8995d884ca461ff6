"""Reading the user's raw tables: which files a path means, and the SQL that reads them.

A table is one or more files of one kind: Parquet, CSV or TSV (comma, semicolon or bar; tab), or JSON lines, the text
kinds also gzipped. Whatever the kind, the relation has two columns beside the table's own, so that a message can name
a row:

- `filename`: the file the row is in, as a path;
- `file_row_number`: the row's number in that file, from 0, the header and empty lines not counted. DuckDB numbers the
  rows of Parquet itself; for text it does not (nor does it tell the line), so they are numbered as they stream by.

`text` names the columns to be read as the text that is written: "007" stays "007". Give it the ids, the domain and
every categorical column; the types of the others are guessed from each file's first rows (20,480 of them), and a later
row that does not fit is an error that names its line. Two things JSON loses all the same: the digits of a number
("7.00" is 7.0), and the form of a string that is a timestamp in every row looked at.
"""

import csv
import gzip
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from textwrap import shorten

import duckdb

from adi.errors import AdiError, suggestion

FILE, ROW = "filename", "file_row_number"
"""The two columns that a relation adds."""

KINDS = {".parquet": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json", ".json": "json"}

_LABELS = {"parquet": "Parquet", "csv": "CSV", "tsv": "TSV", "json": "JSON lines (one object on each line)"}


def files_of(path: str, folder: Path) -> list[Path]:
    """The files that `path` means, sorted: a file, a glob (`**` too) or a folder of parts, relative to `folder`.

    In a folder, what starts with `_` or `.` is a writer's mark and not a part. Raises `AdiError` if there is no file.
    """
    place = folder / path
    found = [place] if place.exists() else [Path(match) for match in glob(str(place), recursive=True)]
    parts = sorted({file for match in found for file in (_parts_in(match) if match.is_dir() else [match])})
    if not parts:
        kind = "the folder has no files" if place.is_dir() else "no file matches"
        raise AdiError(f"'{path}': {kind}, looked for in {folder.resolve()}. Paths are relative to that folder.")
    return parts


def relation_sql(files: Sequence[Path], *, text: Collection[str] = frozenset()) -> str:
    """SQL to put after FROM: every row of the files, columns matched by name, with `filename` and `file_row_number`.

    The columns `text` are VARCHAR; each file must have them (`columns_of` says which does not). Raises `AdiError` for
    an unknown suffix and for files of more than one kind.
    """
    kind = _kind_of(files)
    # From JSON through JSON: CAST would keep the quotes of a string in a column of mixed types. CSV: see `_reader`.
    form = {"parquet": "CAST({0} AS VARCHAR) AS {0}", "json": "to_json({0}) ->> '$' AS {0}"}.get(kind)
    replaced = ", ".join(form.format(quoted(name)) for name in sorted(text)) if form else ""
    star = f"* REPLACE ({replaced})" if replaced else "*"
    if kind == "parquet":
        return f"(SELECT {star} FROM {_reader(files, options=f'{FILE} = true, {ROW} = true')})"
    # The rows of a file stream by in their order, one file after the other, so a row's number in its file is its number
    # in the stream less that of the file's first row. Per-file SELECTs would hold a read buffer for each of the files.
    return (
        f"(SELECT * EXCLUDE (_stream, _first),"
        f" _stream - max(CASE WHEN _first THEN _stream END)"
        f" OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS {ROW}"
        f" FROM (SELECT {star}, row_number() OVER () AS _stream, {FILE} IS DISTINCT FROM lag({FILE}) OVER () AS _first"
        f" FROM {_reader(files, text=text, options=f'{FILE} = true')}))"
    )


def columns_of(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], *, text: Collection[str] = frozenset()
) -> dict[str, str]:
    """The table's columns with their DuckDB types, in order; those of `text` must be in every file.

    Raises `AdiError` naming the file that is empty, corrupt, lacks a column of `text` or has a column of a reserved
    name, before any row is read.
    """
    for file in files:
        if _kind_of([file]) != "parquet" and not _first_line(file):
            raise AdiError(f"{file}: the file is empty. Remove it, or write it with a header and rows.")
        with reading(connection, [file]):
            names = _describe(connection, _reader([file]))
        require_columns([file], names, dict.fromkeys(sorted(text), "read as text"))
        for name in (FILE, ROW):
            if name in names:
                raise AdiError(f"{file}: the column name '{name}' is reserved for a row's place. Rename the column.")
    with reading(connection, files, text=text):
        columns = _describe(connection, relation_sql(files, text=text))
    return {name: kind for name, kind in columns.items() if name not in (FILE, ROW)}


def require_columns(files: Sequence[Path], columns: Collection[str], wanted: Mapping[str, str]) -> None:
    """Raise `AdiError` if a column is missing; `wanted` says what each is for: `{"user_id": "interactions.user"}`."""
    missing = [name for name in wanted if name not in columns]
    if missing:
        faults = [f"no column '{name}' ({wanted[name]}).{suggestion(name, columns)}" for name in missing]
        raise AdiError(f"{shown(files)}: {' '.join(faults)} Columns: {listed(columns)}.")


@contextmanager
def reading(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], *, text: Collection[str] = frozenset()
) -> Iterator[None]:
    """Turn what DuckDB raises inside into an `AdiError` naming the file at fault; if no file is, it is raised as it is.

    The file is found by reading each in turn, which takes a while but only when all is lost anyway.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:  # a corrupt file has no class of its own
        for file in files:
            if fault := _fault_in(connection, _reader([file], text=text)):
                reason = _ragged_row(connection, file) or _reason(fault)
                raise AdiError(f"{file}: cannot be read as {_LABELS[_kind_of([file])]}: {reason}") from error
        if fault := _fault_in(connection, _reader(files, text=text)):
            raise AdiError(f"{shown(files)}: the files do not fit in one table: {_reason(fault)}") from error
        raise


def quoted(name: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def shown(files: Sequence[Path]) -> str:
    """The files of a table in a message."""
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def listed(columns: Collection[str], *, most: int = 40) -> str:
    """The columns of a table in a message."""
    names = list(columns)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _parts_in(folder: Path) -> list[Path]:
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)
    ]


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _kind_of(files: Sequence[Path]) -> str:
    kinds: dict[str, Path] = {}
    for file in files:
        suffix = Path(file.name.removesuffix(".gz")).suffix.lower()
        kind = KINDS.get(suffix)
        if kind is None or (kind == "parquet" and file.suffix == ".gz"):
            known = ", ".join(KINDS)
            raise AdiError(f"{file}: not a kind of file that can be read: {known}, and all but Parquet with .gz.")
        kinds.setdefault(kind, file)
    if len(kinds) != 1:
        raise AdiError(
            f"one table, files of several kinds: {', '.join(str(file) for file in kinds.values())}. "
            "Narrow the path to one kind, such as '*.parquet'."
        )
    return next(iter(kinds))


def _reader(files: Sequence[Path], *, text: Collection[str] = frozenset(), options: str = "") -> str:
    """The table function alone, with the options that leave as little as can be to detection."""
    kind = _kind_of(files)
    arguments = [_names(files), "union_by_name = true", "hive_types_autocast = false"]
    if kind in ("csv", "tsv"):
        arguments.append(_dialect(files[0]))
        if text:
            arguments.append(f"types = {{{', '.join(f'{literal(name)}: VARCHAR' for name in sorted(text))}}}")
    elif kind == "json":
        arguments.append("format = 'newline_delimited', records = 'true'")
    arguments += [options] if options else []
    return f"read_{kind.replace('tsv', 'csv')}({', '.join(arguments)})"


def _names(files: Sequence[Path]) -> str:
    """The files as an SQL list. DuckDB takes every name for a glob; a character in brackets stands for itself."""
    names = ["".join(f"[{c}]" if c in "*?[" else c for c in str(file)) for file in files]
    return f"[{', '.join(literal(name) for name in names)}]"


def _dialect(file: Path) -> str:
    # Left to detection, ragged rows move the header to wherever the rows look regular, and '#' starts a comment.
    return f"delim = '{_delimiter(file)}', quote = '\"', escape = '\"', header = true, skip = 0, comment = ''"


def _delimiter(file: Path) -> str:
    return "\t" if _kind_of([file]) == "tsv" else max(",;|", key=_first_line(file).count)


def _describe(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def _fault_in(connection: duckdb.DuckDBPyConnection, relation: str) -> Exception | None:
    try:
        connection.execute(f"SELECT max(hash(COLUMNS(*))) FROM {relation}")
    except duckdb.Error as error:
        return error
    return None


def _ragged_row(connection: duckdb.DuckDBPyConnection, file: Path) -> str:
    """What is wrong with the form of a row of a CSV or TSV, with its line; empty if nothing is.

    DuckDB's detection of types fails on such a row without naming it; with the columns given, it does.
    """
    if _kind_of([file]) not in ("csv", "tsv"):
        return ""
    width = len(next(csv.reader([_first_line(file)], delimiter=_delimiter(file))))
    columns = ", ".join(f"c{position}: 'VARCHAR'" for position in range(width))
    fault = _fault_in(
        connection, f"read_csv({_names([file])}, {_dialect(file)}, auto_detect = false, columns = {{{columns}}})"
    )
    return _reason(fault) if fault else ""


def _first_line(file: Path) -> str:
    """The first line that is not blank, decoded as far as it can be; empty if there is none."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rb") as lines:
            return next((line.decode("utf-8", "replace") for line in lines if line.strip()), "")
    except (OSError, EOFError) as error:
        raise AdiError(f"{file}: cannot be read: {error}") from error


def _reason(error: Exception) -> str:
    """DuckDB's message without its kind and without advice on options that the user does not have."""
    message = re.split(r"\n\n|\nPossible |\s+Try |\nColumn .* is being converted", str(error))[0]
    return shorten(re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", message), 500, placeholder=" ...")
