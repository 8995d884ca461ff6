"""A log with as many users and items as the embedding tables are to have rows for."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import Field

from adi.bench.train.synthetic import CATEGORIES, SEGMENTS, SKEW
from adi.preparation.prepare import prepare
from adi.schema import Strict


class LogSize(Strict):
    """How large it is; `rows` are clicks, each by a user drawn evenly on an item drawn unevenly."""

    users: int = Field(2_000_000, ge=1000)
    items: int = Field(500_000, ge=1000)
    rows: int = Field(4_000_000, ge=1000)
    domains: int = Field(3, ge=1)
    seed: int = 0


def prepare_log(folder: Path, size: LogSize) -> Path:
    """Write tables and prepare them, in `folder`; returns the prepared dataset."""
    rng = np.random.default_rng(size.seed)
    tables, prepared = folder / "tables", folder / "prepared"
    tables.mkdir(parents=True)
    names = pa.array([f"d{number}" for number in range(size.domains)])
    log = {
        "user": pa.array(rng.integers(size.users, size=size.rows)),
        "item": pa.array((size.items * rng.random(size.rows) ** SKEW).astype(np.int64)),
        "domain": names.take(pa.array(rng.integers(size.domains, size=size.rows))),
    }
    pq.write_table(pa.table(log), tables / "clicks.parquet")
    for name, count, column, values in (
        ("user", size.users, "segment", SEGMENTS),
        ("item", size.items, "category", CATEGORIES),
    ):
        numbers = np.arange(count)
        pq.write_table(pa.table({name: numbers, column: numbers % values}), tables / f"{name}s.parquet")
    schema = {
        "domains": {"column": "domain", "values": names.to_pylist()},
        "interactions": {"path": "clicks.parquet", "user": "user", "item": "item"},
        "tables": {
            "users": {"path": "users.parquet", "key": "user"},
            "items": {"path": "items.parquet", "key": "item"},
        },
        "features": {
            "user": [{"name": "user_id", "kind": "id"}, {"name": "segment", "kind": "categorical", "table": "users"}],
            "item": [{"name": "item_id", "kind": "id"}, {"name": "category", "kind": "categorical", "table": "items"}],
        },
        "split": {"kind": "random", "share": 0.001, "validation": 0},
        "repeats": True,
    }
    (tables / "schema.yaml").write_text(yaml.safe_dump(schema, sort_keys=False), encoding="utf-8")
    prepare(tables / "schema.yaml", prepared)
    return prepared
