"""Dirty tables: rows are kept or set aside with one reason, and what is prepared is what the clean rows alone give.

Tables are drawn with faults in any column, in CSV, JSON lines and Parquet, in one file or several; see `dirty_tables`.
"""

import re
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from adi.data.manifest import Manifest
from adi.errors import AdiError
from adi.preparation.prepare import prepare
from faults.dirty_tables import FILTERS, KEYS, DirtyTables, clean_rows, dirty_tables
from faults.file_faults import FILE_FAULTS

FEW = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def prepared_from(folder: Path, strict: bool) -> Manifest:
    return prepare(folder / "tables", folder / "prepared", strict=strict, progress=False)


def content_of(out: Path, manifest: Manifest) -> dict[str, Any]:
    """All that comes of tables but what tells of rows that were set aside."""
    arrays = {path.relative_to(out): np.load(path).tolist() for path in out.rglob("*.number.npy")}
    return {
        "fingerprint": manifest.fingerprint,
        "domains": manifest.by_domain,
        "numbers": repr(sorted(arrays.items())),
        "attributes": [pq.read_table(path).to_pylist() for path in sorted((out / "attributes").rglob("*.parquet"))],
    }


@cache
def of_clean_rows(time: str, split: str) -> dict[str, Any]:
    """Prepare the clean rows alone, from one Parquet file for each table, whatever the suffix of the dirty ones."""
    with tempfile.TemporaryDirectory() as name:
        DirtyTables(".parquet", time, split, clean_rows(time)).write(Path(name) / "tables")
        manifest = prepared_from(Path(name), strict=True)
        return content_of(Path(name) / "prepared", manifest)


def check(tables: DirtyTables) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables.write(folder / "tables")
        message = tables.refusal
        if message or (tables.strict and tables.is_faulty):
            with pytest.raises(AdiError, match=message or "strict: faulty rows or values") as refused:
                prepared_from(folder, tables.strict)
            if not message:
                check_message(tables, str(refused.value))
            assert [path.name for path in folder.iterdir()] == ["tables"]
        else:
            manifest = prepared_from(folder, tables.strict)
            check_counts(tables, manifest, folder / "prepared")
            assert content_of(folder / "prepared", manifest) == of_clean_rows(tables.time, tables.split)


def check_message(tables: DirtyTables, message: str) -> None:
    """The message of `strict` counts the faults by reason, and names the first of the log with file and row."""
    names = {"log": "log", **{table: f"table {table}" for table in KEYS}}
    expected = set()
    for table, name in names.items():
        counts = {reason: count for reason, count in sorted(tables.reasons(table).items()) if reason not in FILTERS}
        if counts:
            expected.add(f"{name}: " + ", ".join(f"{count} {reason}" for reason, count in counts.items()))
    expected |= {f"feature {column}: {count} not finite" for column, count in tables.bad_values.items()}
    assert set(re.findall(r"^  ([a-z].*: \d.*)$", message, re.MULTILINE)) == expected
    first = next((place for place in places_of(tables) if place[2] not in FILTERS), None)
    if first is not None:
        assert f"{first[0]}, row {first[1]}, column '" in message


def places_of(tables: DirtyTables) -> list[tuple[str, int, str]]:
    """File, row and reason of every row of the log that is to be set aside."""
    return [
        (name, number, reason)
        for name, reasons, _ in tables.parts()
        for number, reason in enumerate(reasons, start=1)
        if name.startswith("log/") and reason is not None
    ]


def check_counts(tables: DirtyTables, manifest: Manifest, out: Path) -> None:
    """Rows read are kept and set aside, each with its reason, and those of the log are written down."""
    for table, rows in tables.rows.items():
        counts = manifest.rows if table == "log" else manifest.tables[table]
        assert (counts.read, counts.set_aside) == (len(rows), tables.reasons(table))
        assert counts.read == counts.kept + sum(counts.set_aside.values())
    assert manifest.ignored_values == dict(tables.bad_values)
    aside = pq.read_table(out / "set_aside.parquet").to_pylist()
    found = [("/".join(Path(row["file"]).parts[-2:]), row["file_row"], row["reason"]) for row in aside]
    assert found == places_of(tables)


@pytest.mark.slow
@given(tables=dirty_tables())
@FEW
def test_dirty_rows_and_values(tables: DirtyTables) -> None:
    check(tables)


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_a_fault_of_a_file(fault: str) -> None:
    suffix = fault.split()[-1]
    rows = clean_rows("text")
    rows["log"].insert(3, ({**rows["log"][0][0], "user": None}, "no user"))
    check(DirtyTables(suffix, "text", "last", rows, cuts=[2], file_fault=fault))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("file_faults", "examples"), [(False, 2_000), (True, 500)])
def test_thousands_of_dirty_tables(
    file_faults: bool, examples: int, record_property: Callable[[str, object], None]
) -> None:
    trials = 0

    @given(tables=dirty_tables(file_faults))
    @settings(FEW, max_examples=examples)
    def check_counted(tables: DirtyTables) -> None:
        nonlocal trials
        trials += 1
        check(tables)

    check_counted()
    record_property("trials", trials)
