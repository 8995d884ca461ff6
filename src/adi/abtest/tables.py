"""Tables that the user gives: Parquet or CSV files, folders of them, and globs."""

from collections.abc import Mapping, Sequence
from glob import glob
from pathlib import Path

import duckdb

from adi.abtest.database import Connection
from adi.errors import AdiError, ArgumentError

WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


def table_files(paths: Sequence[str], *, argument: str) -> list[str]:
    """The files of paths, folders and globs, all of one format; errors name the `argument`."""
    files: list[str] = []
    for path in paths:
        pattern = Path(path)
        matches = (
            [str(file) for end in ("parquet", "csv") for file in sorted(pattern.glob(f"*.{end}"))]
            if pattern.is_dir()
            else sorted(glob(path))
        )
        if not matches:
            raise ArgumentError(argument, f"{path}: no such file, and no folder with .parquet or .csv files.")
        files += matches
    if len({Path(file).suffix for file in files}) > 1:
        raise ArgumentError(argument, f"{', '.join(files[:3])}: of different formats. Give Parquet or CSV files alone.")
    if Path(files[0]).suffix not in (".parquet", ".csv"):
        raise ArgumentError(argument, f"{files[0]}: is neither .parquet nor .csv.")
    return files


def source_of(files: Sequence[str]) -> str:
    """The files as a table in SQL. All columns of CSV are text, so that an id such as 007 keeps its zeros."""
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    if Path(files[0]).suffix == ".csv":
        return f"read_csv([{listed}], header = true, all_varchar = true, union_by_name = true)"
    return f"read_parquet([{listed}], union_by_name = true)"


def column_types(connection: Connection, files: Sequence[str], *, argument: str) -> dict[str, str]:
    """The columns of the files and their types in DuckDB; raises `ArgumentError` for a file that cannot be read."""
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {source_of(files)}").fetchall()
    except duckdb.Error as error:
        raise ArgumentError(argument, f"{files[0]}: cannot be read ({error}).") from None
    return {name: kind for name, kind, *_ in described}


def check_id(types: Mapping[str, str], file: str, name: str) -> None:
    """Raise `AdiError` for a column of ids that are neither text nor whole numbers."""
    if types[name] != "VARCHAR" and types[name] not in WHOLE:
        raise AdiError(
            f"{file}, column '{name}': ids of type {types[name]}; 7.0 is not 7. Write text or whole numbers."
        )
