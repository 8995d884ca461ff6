"""Columns whose values are in the paths of a table's files."""

import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.engines.path_columns import glob_of, path_columns
from adi.engines.tables import TableFiles
from adi.errors import AdiError


def values(path: str, file: str) -> dict[str, str]:
    """The values that the columns of a path have in a file's path."""
    found = {name: re.match(form, file) for name, form in path_columns(path).items()}
    return {name: match[1] for name, match in found.items() if match}


@pytest.mark.parametrize(
    ("path", "file", "expected"),
    [
        ("log/{market}/*.csv", "log/us/a.csv", {"market": "us"}),
        ("log/clicks_{market}.csv.gz", "log/clicks_de.csv.gz", {"market": "de"}),
        ("log/{market}/{year}-*/p?.csv", "log/a b/2024-01/p1.csv", {"market": "a b", "year": "2024"}),
        ("log/**/{market}.csv", "log/x/y/us.csv", {"market": "us"}),
        ("log/**/{market}.csv", "log/us.csv", {"market": "us"}),
        ("log/{market}", "log/us/parts/1.csv", {"market": "us"}),
        ("l+g/{market}/(1).csv", "l+g/us/(1).csv", {"market": "us"}),
        ("log/*.csv", "log/us.csv", {}),
    ],
)
def test_values_of_a_path(path: str, file: str, expected: dict[str, str]) -> None:
    assert values(path, file) == expected


def test_a_path_as_a_glob() -> None:
    assert glob_of("log/{market}/*_{day}.csv") == "log/*/*_*.csv"


def test_a_name_that_comes_twice_is_refused() -> None:
    with pytest.raises(AdiError, match=r"'log/\{a\}/\{a\}.csv': \{a\} comes twice"):
        path_columns("log/{a}/{a}.csv")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_table_has_the_column_as_text(tmp_path: Path, suffix: str) -> None:
    for name in ("01", "us"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / f"clicks.{suffix}"
        if suffix == "parquet":
            pq.write_table(pa.table({"user": [7]}), file)
        else:
            file.write_text("user\n7\n" if suffix == "csv" else '{"user": 7}\n')
    table = TableFiles.at(f"{{market}}/*.{suffix}", tmp_path)
    with duckdb.connect() as connection:
        assert table.columns(connection, {"market": "domains.column"})["market"] == "VARCHAR"
        rows = connection.execute(f"SELECT user, market FROM {table.sql({'user', 'market'})} ORDER BY 2").fetchall()
        assert rows == [("7", "01"), ("7", "us")]
        with table.reading(connection, {"user", "market"}):
            connection.execute(f"SELECT max(market) FROM {table.sql({'market'})}")


def test_a_file_with_the_same_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "us.csv").write_text("user,market\n7,us\n")
    table = TableFiles.at("{market}.csv", tmp_path)
    with duckdb.connect() as connection, pytest.raises(AdiError, match=r"us.csv: has a column 'market', and so has"):
        table.columns(connection)


def test_a_folder_that_has_braces_in_its_name_is_itself(tmp_path: Path) -> None:
    (tmp_path / "{a}").mkdir()
    (tmp_path / "{a}" / "b.csv").write_text("user\n7\n")
    assert TableFiles.at("{a}", tmp_path).in_path == {}
