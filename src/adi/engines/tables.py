"""The user's tables: in files, or in memory; and the SQL that reads them.

A table in files is one or more files of one kind: Parquet, CSV or TSV (comma, semicolon or bar; tab), or JSON lines,
the text kinds also gzipped. A table in memory is in `adi.engines.memory`. The SQL of either has two columns beside
the table's own, so that a message can name a row:

- `filename`: the file that the row is in, as a path;
- `file_row_number`: the row's number in that file, from 0, the header and empty lines not counted. DuckDB numbers the
  rows of Parquet itself; for text it does not (nor does it tell the line), so they are numbered as they stream by.

`text` names the columns to be read as the text that is written: "007" stays "007". Give it the ids, the domain and
every categorical column; the types of the others are guessed from each file's first rows (20,480 of them), and a later
row that does not fit is an error that names its line. Two things JSON loses all the same: the digits of a number
("7.00" is 7.0), and the form of a string that is a timestamp in every row looked at.
"""

import csv
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from glob import glob
from pathlib import Path
from textwrap import shorten
from typing import Protocol

import duckdb

from adi.engines.file_content import check_text, first_line
from adi.engines.path_columns import glob_of, path_columns, refuse_columns_of_paths
from adi.engines.stores import files_in_store, is_remote, register_store
from adi.errors import AdiError, suggestion

FILE, ROW = "filename", "file_row_number"
"""The two columns that the SQL of a table adds."""

KINDS = {".parquet": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json", ".json": "json"}

_LABELS = {"parquet": "Parquet", "csv": "CSV", "tsv": "TSV", "json": "JSON lines (one object on each line)"}

REASONS = {
    "not utf-8 encoded": "it is not UTF-8. Save the file as UTF-8.",
    "state machine reached an invalid state": "its rows are not those of a CSV file.",
}
"""What some of DuckDB's messages mean."""

WHOLE = {f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")}
"""DuckDB's types of whole numbers."""

Connection = duckdb.DuckDBPyConnection


class RawTable(Protocol):
    """A table as the user gave it. Its text is what messages call it."""

    @property
    def files(self) -> Sequence[Path | str]:
        """The values of the column `filename`."""

    def columns(
        self, connection: Connection, wanted: Mapping[str, str] | None = None, text: Collection[str] = ()
    ) -> dict[str, str]:
        """The columns with their DuckDB types, in order.

        `wanted` says what each column that must be there is for: ``{"user_id": "interactions.user"}``; `text` are those
        to be read as text. Raises `AdiError` before any row is read: for a column that is missing, for one of a
        reserved name, and for one of `text` whose values would change, since its type is not that of other files.
        """

    def sql(self, text: Collection[str] = ()) -> str:
        """SQL to put after FROM: every row, with `filename` and `file_row_number`; the columns `text` are VARCHAR."""

    def reading(self, connection: Connection, text: Collection[str] = ()) -> AbstractContextManager[None]:
        """Turn what DuckDB raises inside into an `AdiError` naming what is at fault, if the table is."""


class TableFiles:
    """A table in files of one kind, columns matched by name.

    `in_path` are the columns whose values are in the paths of the files (`adi.engines.path_columns`).
    """

    def __init__(self, files: Sequence[Path], in_path: Mapping[str, str] | None = None) -> None:
        self.files, self.in_path = list(files), dict(in_path or {})

    @classmethod
    def at(cls, path: str, folder: Path) -> "TableFiles":
        """The files that `path` means, sorted: a file, a glob (`**` too) or a folder of parts, relative to `folder`.

        In a folder, what starts with `_` or `.` is a writer's mark and not a part. In ``log/{market}/*.csv``, the name
        in braces is a column. A path such as ``s3://bucket/log`` is in an object store (`adi.engines.stores`). Raises
        `AdiError` without a file.
        """
        if is_remote(path):
            return cls(files_in_store(glob_of(path)), path_columns(path))
        pattern = _inside(folder, path)
        is_path = pattern.exists()
        matches = [pattern] if is_path else [Path(match) for match in glob(glob_of(str(pattern)), recursive=True)]
        parts = sorted({file for match in matches for file in (_parts_in(match) if match.is_dir() else [match])})
        if not parts:
            fault = "the folder has no files" if pattern.is_dir() else "no file matches"
            raise AdiError(f"'{path}': {fault}, looked for in {folder.resolve()}. Paths are relative to that folder.")
        return cls(parts, None if is_path else path_columns(pattern))

    def of(self, file: Path) -> "TableFiles":
        """A table of one of the files."""
        return TableFiles([file], self.in_path)

    def __str__(self) -> str:
        return str(self.files[0]) if len(self.files) == 1 else f"{self.files[0]} and {len(self.files) - 1} more"

    @property
    def kind(self) -> str:
        """The kind of the files. Raises `AdiError` for an unknown suffix and for files of several kinds."""
        kinds: dict[str, Path] = {}
        for file in self.files:
            suffix = Path(file.name.removesuffix(".gz")).suffix.lower()
            kind = KINDS.get(suffix)
            if kind is None or (kind == "parquet" and file.suffix == ".gz"):
                known = ", ".join(KINDS)
                remedy = " Save each sheet as CSV." if suffix in (".xlsx", ".xls", ".ods") else ""
                if len(self.files) > 1:
                    remedy += f" If it is no part of the table, leave it out: '{file.parent}/*.csv'."
                raise AdiError(
                    f"{file}: not a kind of file that can be read: {known}, and all but Parquet with .gz.{remedy}"
                )
            kinds.setdefault(kind, file)
        if len(kinds) != 1:
            raise AdiError(
                f"one table, files of several kinds: {', '.join(str(file) for file in kinds.values())}. "
                "Narrow the path to one kind, such as '*.parquet'."
            )
        return next(iter(kinds))

    def columns(
        self, connection: Connection, wanted: Mapping[str, str] | None = None, text: Collection[str] = ()
    ) -> dict[str, str]:
        by_file = {}
        for file in self.files:  # each of them: a column that one file lacks would be read as missing values
            table = self.of(file)
            if table.kind != "parquet":
                check_text(file, table.kind)
            with table.reading(connection):
                names = describe(connection, table._reader())
            refuse_columns_of_paths(file, names, self.in_path)
            names |= dict.fromkeys(self.in_path, "VARCHAR")
            require_columns(str(file), names, wanted or {})
            refuse_reserved(str(file), names)
            by_file[file] = names
        with self.reading(connection):
            columns = describe(connection, self.sql())
        if self.kind not in ("csv", "tsv"):  # whose text is read as it is written
            for file, types in by_file.items():
                _refuse_changed_text(file, types, columns, text)
        return {name: column_type for name, column_type in columns.items() if name not in (FILE, ROW)}

    def sql(self, text: Collection[str] = (), *, numbered: bool = True) -> str:
        """The SQL of a `RawTable`; without the numbers of rows if not `numbered`, which reads large CSV much faster."""
        rows = self._rows([name for name in text if name not in self.in_path], numbered=numbered)
        if not self.in_path:
            return rows
        columns = [f"regexp_extract({FILE}, {literal(form)}, 1) AS {quoted(c)}" for c, form in self.in_path.items()]
        return f"(SELECT *, {', '.join(columns)} FROM {rows})"

    def _rows(self, text: Collection[str], *, numbered: bool) -> str:
        """SQL for the rows with the columns that the files have."""
        kind = self.kind
        # From JSON through JSON: CAST would keep the quotes of a string in a column of mixed types. CSV: see `_reader`.
        form = {"parquet": "CAST({0} AS VARCHAR) AS {0}", "json": "to_json({0}) ->> '$' AS {0}"}.get(kind)
        star = replaced_sql(form, text) if form else "*"
        if not numbered:
            return f"(SELECT {star} FROM {self._reader(text=text, options=f'{FILE} = true')})"
        if kind == "parquet":
            return f"(SELECT {star} FROM {self._reader(options=f'{FILE} = true, {ROW} = true')})"
        # The rows of a file stream by in their order, one file after the other, so a row's number in its file is its
        # number in the stream less that of the file's first row. Per-file SELECTs would hold a read buffer for each.
        return (
            f"(SELECT * EXCLUDE (_stream, _first),"
            f" _stream - max(CASE WHEN _first THEN _stream END)"
            f" OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS {ROW}"
            f" FROM (SELECT {star}, row_number() OVER () AS _stream,"
            f" {FILE} IS DISTINCT FROM lag({FILE}) OVER () AS _first"
            f" FROM {self._reader(text=text, options=f'{FILE} = true')}))"
        )

    @contextmanager
    def reading(self, connection: Connection, text: Collection[str] = ()) -> Iterator[None]:
        """Name the file at fault. It is found by reading each in turn: slow, but only when all is lost anyway."""
        self.register_stores(connection)
        text = [name for name in text if name not in self.in_path]
        try:
            yield
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:  # a corrupt file has no class of its own
            for file in self.files:
                table = self.of(file)
                if fault := fault_in(connection, table._reader(text=text)):
                    reason = table._ragged_row(connection) or reason_of(fault)
                    raise AdiError(f"{file}: cannot be read as {_LABELS[table.kind]}: {reason}") from error
            if fault := fault_in(connection, self._reader(text=text)):
                raise AdiError(f"{self}: the files do not fit in one table: {reason_of(fault)}") from error
            raise

    def _reader(self, *, text: Collection[str] = (), options: str = "") -> str:
        """The table function alone, with the options that leave as little as can be to detection.

        Detection would read 01/05/2024 as the first of May, and drop the zone of a time after times without one.
        """
        kind = self.kind
        arguments = [self._names(), "union_by_name = true", "hive_types_autocast = false"]
        if kind in ("csv", "tsv"):
            arguments += [self._dialect(), "dateformat = '%Y-%m-%d', timestampformat = 'iso'"]
            if text:
                arguments.append(f"types = {{{', '.join(f'{literal(name)}: VARCHAR' for name in sorted(text))}}}")
        elif kind == "json":
            arguments.append("format = 'newline_delimited', records = 'true', dateformat = '%Y-%m-%d'")
        arguments += [options] if options else []
        return f"read_{kind.replace('tsv', 'csv')}({', '.join(arguments)})"

    @property
    def patterns(self) -> list[str]:
        """The files by patterns for DuckDB, which takes every name for one; a character in brackets is itself."""
        return ["".join(f"[{c}]" if c in "*?[" else c for c in str(file)) for file in self.files]

    def register_stores(self, connection: Connection) -> None:
        """Let a connection read the object stores that the files are in."""
        for file in self.files:
            if is_remote(file):
                register_store(connection, file)

    def _names(self) -> str:
        """The files as an SQL list."""
        return f"[{', '.join(literal(pattern) for pattern in self.patterns)}]"

    def _dialect(self) -> str:
        # Left to detection, ragged rows move the header to wherever the rows look regular, and '#' starts a comment.
        return f"delim = '{self._delimiter()}', quote = '\"', escape = '\"', header = true, skip = 0, comment = ''"

    def _delimiter(self) -> str:
        return "\t" if self.kind == "tsv" else max(",;|", key=first_line(self.files[0]).count)

    def _ragged_row(self, connection: Connection) -> str:
        """Describe the first ill-formed row of a CSV or TSV file, with its line; empty if every row is well-formed.

        DuckDB's detection of types fails on such a row without naming it; with the columns given, it does.
        """
        if self.kind not in ("csv", "tsv"):
            return ""
        header = first_line(self.files[0]).replace("\r", "")  # in UTF-16 it is not at the end, which `csv` refuses
        width = len(next(csv.reader([header], delimiter=self._delimiter())))
        columns = ", ".join(f"c{position}: 'VARCHAR'" for position in range(width))
        options = f"{self._dialect()}, auto_detect = false, columns = {{{columns}}}"
        fault = fault_in(connection, f"read_csv({self._names()}, {options})")
        return reason_of(fault) if fault else ""


def require_columns(source: str, columns: Collection[str], wanted: Mapping[str, str]) -> None:
    """Raise `AdiError` for a missing column; `wanted` says what each is for, `source` names the table."""
    missing = [name for name in wanted if name not in columns]
    if missing:
        faults = [f"no column '{name}' ({wanted[name]}).{suggestion(name, columns)}" for name in missing]
        raise AdiError(f"{source}: {' '.join(faults)} Columns: {listed(columns)}.")


def refuse_reserved(source: str, columns: Collection[str]) -> None:
    """Raise `AdiError` for a column of a name that the SQL of a table adds."""
    for name in (FILE, ROW):
        if name in columns:
            raise AdiError(f"{source}: the column name '{name}' is reserved for a row's place. Rename the column.")


def describe(connection: Connection, relation: str) -> dict[str, str]:
    """The columns of what can stand after FROM, with their DuckDB types."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def _refuse_changed_text(
    file: Path, types: Mapping[str, str], columns: Mapping[str, str], text: Collection[str]
) -> None:
    """Raise `AdiError` for a column whose type in a file gives another text than the type that all files share.

    7 would be 7.0 where another file has fractions, and large whole numbers would be rounded.
    """
    for name in sorted(text):
        shared = columns[name]
        same = types[name] in (shared, "JSON") or {types[name], shared} <= WHOLE
        if not same and shared not in ("VARCHAR", "JSON"):
            raise AdiError(
                f"{file}, column '{name}': {types[name]}, which other files make {shared}, and its values are compared "
                "as text. Write the column with one type in every file."
            )


def replaced_sql(form: str, columns: Collection[str]) -> str:
    """All columns of a relation, with the named ones in the given `form` of SQL, in which {0} is the column."""
    replaced = ", ".join(form.format(quoted(name)) for name in sorted(columns))
    return f"* REPLACE ({replaced})" if replaced else "*"


def fault_in(connection: Connection, relation: str) -> Exception | None:
    """The error that DuckDB raises when it reads every value of a relation; None if it raises none."""
    try:
        connection.execute(f"SELECT max(hash(COLUMNS(*))) FROM {relation}")
    except duckdb.Error as error:
        return error
    return None


def reason_of(error: Exception) -> str:
    """DuckDB's message without its kind and without advice on options that the user does not have."""
    for known, plain in REASONS.items():
        if known in str(error):
            line = re.search(r"Line: (\d+)", str(error))
            return f"line {line[1]}: {plain}" if line else plain
    message = re.split(r"\n\n|\nPossible |\s+Try |\nColumn .* is being converted", str(error))[0]
    # Else a word of the data that is too long ends the message. Paths have slashes, and stay whole.
    message = re.sub(r"([^\s/]{80})[^\s/]+", r"\1...", message)
    return shorten(re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", message), 500, placeholder=" ...")


def quoted(name: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def listed(columns: Collection[str], *, most: int = 40) -> str:
    """The columns of a table in a message."""
    names = list(columns)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _inside(folder: Path, path: str) -> Path:
    """A path in `folder`, without `..` unless the folder has links in its own path, behind which `..` is elsewhere."""
    joined = folder / path
    return Path(os.path.normpath(joined)) if folder.resolve() == folder.absolute() else joined


def _parts_in(folder: Path) -> list[Path]:
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)
    ]
