"""Training data: a simulated log of any size, prepared, and its rows as plain arrays for other libraries."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.preparation.prepare import prepare
from benchmarks.training.synthetic import CATEGORIES, SEGMENTS, SKEW

DOMAINS = ("d0", "d1", "d2")
HISTORY = 20
"""Items of a user's history that another library gets, the newest ones."""

SCHEMA = {
    "domains": {"column": "domain", "values": list(DOMAINS)},
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


def prepare_log(folder: Path, *, users: int, items: int, rows: int) -> Path:
    """Simulate a log and prepare it in `folder`; returns the prepared dataset.

    Each row is a click in a random domain, of a user drawn uniformly on an item with a long tail.
    """
    rng = np.random.default_rng(0)
    tables, prepared = folder / "tables", folder / "prepared"
    tables.mkdir(parents=True)
    log = {
        "user": pa.array(rng.integers(users, size=rows)),
        "item": pa.array((items * rng.random(rows) ** SKEW).astype(np.int64)),
        "domain": pa.array(DOMAINS).take(pa.array(rng.integers(len(DOMAINS), size=rows))),
    }
    pq.write_table(pa.table(log), tables / "clicks.parquet")
    for name, count, column, values in (("user", users, "segment", SEGMENTS), ("item", items, "category", CATEGORIES)):
        numbers = np.arange(count)
        pq.write_table(pa.table({name: numbers, column: numbers % values}), tables / f"{name}s.parquet")
    (tables / "schema.yaml").write_text(yaml.safe_dump(SCHEMA, sort_keys=False), encoding="utf-8")
    prepare(tables / "schema.yaml", prepared)
    return prepared


def write_arrays(dataset: Dataset, path: Path) -> None:
    """Write the training rows of a dataset as an .npz file.

    - `user`, `item`, `domain` (n,): of each row
    - `domains`: how many there are
    - ``user.NAME`` (users,), ``item.NAME`` (items,): the codes of each feature with one value
    - ``rows.NAME``: how many codes that feature has
    - `history` (users, `HISTORY` + 1), if users have behaviours: their newest items, each plus 1, then 0. It may hold
      the item of the row, which the reader leaves out.
    """
    users, items, domains = dataset.targets("train", dataset.rows("train"))
    arrays: dict[str, Array] = {
        "user": users.astype(np.int64),
        "item": items,
        "domain": domains,
        "domains": np.asarray(len(dataset.domains)),
    }
    for feature in dataset.manifest.features:
        if feature.kind in ("id", "categorical", "numeric") and feature.side != "context" and not feature.by_domain:
            codes = dataset.array(f"features/{feature.side}/{feature.name}")
            arrays[f"{feature.side}.{feature.name}"] = codes.astype(np.int64)
            arrays[f"rows.{feature.name}"] = np.asarray(feature.rows)
    if any(feature.kind == "behaviours" for feature in dataset.manifest.features):
        arrays["history"] = _histories(users, items, len(dataset.users))
    np.savez(path, allow_pickle=False, **arrays)


def _histories(users: Array, items: Array, num_users: int) -> Array:
    """The newest items of each user, the newest first, from rows that are sorted by user and time."""
    ends = np.searchsorted(users, np.arange(1, num_users + 1))
    starts = np.concatenate([[0], ends[:-1]])
    rows = ends[:, None] - 1 - np.arange(HISTORY + 1)
    exists = rows >= starts[:, None]
    return np.where(exists, items[np.where(exists, rows, 0)] + 1, 0)
