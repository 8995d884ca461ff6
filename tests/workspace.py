"""Small tables of the formats that can be read, a schema that fits them, and the arrays that come of them."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml

from adi.data.manifest import Manifest
from adi.preparation.prepare import prepare

Row = dict[str, Any]


class Workspace:
    """A folder of tables with their schema. What `prepare` writes is read back by name: ``workspace["test/item"]``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder / "tables", folder / "prepared"
        self.folder.mkdir()
        self.schema: dict[str, Any] = {
            "domains": {"column": "domain"},
            "interactions": {"path": "log.jsonl", "user": "user", "item": "item", "time": "time"},
            "features": {
                "user": [{"name": "history", "kind": "behaviours"}],
                "item": [{"name": "item_id", "kind": "id"}],
            },
            "split": {"kind": "last", "validation": 0.0},
        }
        self.manifest: Manifest

    def write(self, name: str, rows: list[Row] | pa.Table) -> Path:
        """Write rows as the kind of table that the suffix of `name` says."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows) if isinstance(rows, list) else rows
        if path.suffix == ".parquet":
            pq.write_table(table, path)
        elif path.suffix == ".jsonl":
            lines = [json.dumps(row, ensure_ascii=False, default=str) for row in table.to_pylist()]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        else:
            options = pa.csv.WriteOptions(delimiter="\t" if ".tsv" in name else ",", quoting_style="needed")
            with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
                pa.csv.write_csv(table, file, options)
        return path

    def interactions(self, **changes: Any) -> None:
        self.schema["interactions"] |= changes

    def add(self, side: str, **feature: Any) -> None:
        self.schema["features"].setdefault(side, []).append(feature)

    def table(self, name: str, rows: list[Row] | pa.Table, key: str | list[str]) -> Path:
        self.schema.setdefault("tables", {})[name] = {"path": f"{name}.parquet", "key": key}
        return self.write(f"{name}.parquet", rows)

    def prepare(self, out: str = "prepared", **options: Any) -> Manifest:
        path = self.folder / "schema.yaml"
        path.write_text(yaml.safe_dump(self.schema, allow_unicode=True), encoding="utf-8")
        self.out = self.folder.parent / out
        self.manifest = prepare(path, self.out, **options)
        return self.manifest

    def __getitem__(self, array: str) -> list[Any]:
        values: list[Any] = np.load(self.out / f"{array}.npy").tolist()
        return values

    def rows(self, table: str) -> list[Row]:
        """A Parquet or Arrow file of the prepared dataset."""
        arrow = self.out / f"{table}.arrow"
        if arrow.exists():
            rows: list[Row] = pa.ipc.open_file(arrow).read_all().to_pylist()
        else:
            rows = pq.read_table(self.out / f"{table}.parquet").to_pylist()
        return rows

    def left_behind(self) -> list[str]:
        """What is beside the tables, hidden names too."""
        return sorted(path.name for path in self.folder.parent.iterdir() if path != self.folder)


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    """A schema without its log."""
    return Workspace(tmp_path)


LOG = """
bo  x a 30
ann x a 10
ann y a 20
ann z b 20
bo  y b 10
cy  x b 5
ann x a 40
bo  x a 20
dee w a 7
dee w b 7
ann y b 15
bo  z b 10
"""


@pytest.fixture
def log() -> list[Row]:
    """Twelve rows, users and times in no order; ann has two rows at time 20, bo two at 10; dee one in each domain."""
    rows = [line.split() for line in LOG.strip().splitlines()]
    return [{"user": user, "item": item, "domain": domain, "time": int(time)} for user, item, domain, time in rows]


@pytest.fixture
def workspace(empty: Workspace, log: list[Row]) -> Workspace:
    """The log of twelve rows and its schema, to be changed by the test and prepared."""
    empty.write("log.jsonl", log)
    return empty
