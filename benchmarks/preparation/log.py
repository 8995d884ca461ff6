"""A simulated log with ten features, and the schema that describes it.

Users and items have a long tail; times ascend, as those of a log do. Three features are of the user, five of the item,
its id included, and two of the row. One value in a hundred is missing.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from pydantic import Field

from adi.data.arrays import Array, arrow_numbers
from adi.data.folder import new_folder
from adi.errors import AdiError
from adi.strict import Strict

SIZE_FILE = "log.json"
LOG, USERS, ITEMS = "clicks.parquet", "users.parquet", "items.parquet"
DOMAINS = ("search", "feed", "cart")
SHARES = (0.6, 0.3, 0.1)
DEVICES = ("phone", "desktop", "tablet", "tv")
DEVICE_SHARES = (0.6, 0.25, 0.1, 0.05)
TAGS = 1000
TAGS_PER_ITEM = 3
MISSING = 0.01
BLOCK_ROWS = 1 << 20

SCHEMA = {
    "domains": {"column": "domain", "values": list(DOMAINS)},
    "interactions": {"path": LOG, "user": "user", "item": "item", "time": "ts"},
    "tables": {"users": {"path": USERS, "key": "user"}, "items": {"path": ITEMS, "key": "item"}},
    "features": {
        "user": [
            {"name": "segment", "kind": "categorical", "table": "users"},
            {"name": "city", "kind": "categorical", "table": "users"},
            {"name": "income", "kind": "numeric", "table": "users"},
        ],
        "item": [
            {"name": "item_id", "kind": "id"},
            {"name": "category", "kind": "categorical", "table": "items"},
            {"name": "brand", "kind": "categorical", "table": "items"},
            {"name": "price", "kind": "numeric", "scale": "log", "table": "items"},
            {"name": "tags", "kind": "multi", "separator": "|", "table": "items"},
        ],
        "context": [{"name": "device", "kind": "categorical"}, {"name": "slot", "kind": "numeric"}],
    },
    "split": {"kind": "last", "validation_least": 0},  # a tenth of the users, as in pandas
}


class LogSize(Strict):
    """The size of a log, which decides how many users and items it has, and the seed of its random draws."""

    rows: int = Field(1_000_000, ge=1000)
    seed: int = 0

    @property
    def users(self) -> int:
        return self.rows // 5

    @property
    def items(self) -> int:
        return self.rows // 20


def simulated_log(folder: Path, size: LogSize) -> Path:
    """The folder of the log's tables and schema, below `folder`; simulated unless an earlier call has left it there.

    Raises `AdiError` where an earlier call has left another log.
    """
    tables = folder / f"log-{size.rows}"
    if (tables / SIZE_FILE).exists():
        stored = json.loads((tables / SIZE_FILE).read_text(encoding="utf-8"))
        if stored != size.model_dump():
            raise AdiError(f"{tables}: holds a log of {stored}, not of {size.model_dump()}. Remove it.")
        return tables
    with new_folder(tables) as new:
        _write_log(new / LOG, size)
        rng = np.random.default_rng([size.seed, 1])
        pq.write_table(_user_table(size.users, rng), new / USERS)
        pq.write_table(_item_table(size.items, rng), new / ITEMS)
        (new / "schema.yaml").write_text(yaml.safe_dump(SCHEMA, sort_keys=False), encoding="utf-8")
        (new / SIZE_FILE).write_text(json.dumps(size.model_dump()), encoding="utf-8")
    return tables


def _write_log(path: Path, size: LogSize) -> None:
    user_ids, item_ids = _ids("u", size.users), _ids("i", size.items)
    blocks = (_log_table(first, columns, user_ids, item_ids) for first, columns in _blocks(size))
    first_block = next(blocks)
    with pq.ParquetWriter(path, first_block.schema) as writer:
        for block in chain([first_block], blocks):
            writer.write_table(block)


def _blocks(size: LogSize) -> Iterator[tuple[int, dict[str, Array]]]:
    """The first row of each block of the log, and the numbers in its columns; some users and items are frequent."""
    user_order = np.random.default_rng([size.seed, 2]).permutation(size.users)
    item_order = np.random.default_rng([size.seed, 3]).permutation(size.items)
    for first in range(0, size.rows, BLOCK_ROWS):
        count = min(BLOCK_ROWS, size.rows - first)
        rng = np.random.default_rng([size.seed, 0, first])
        columns = {
            "user": user_order[(rng.random(count) ** 1.5 * size.users).astype(np.int64)],
            "item": item_order[(rng.random(count) ** 3 * size.items).astype(np.int64)],
            "domain": rng.choice(len(DOMAINS), count, p=SHARES),
            "device": rng.choice(len(DEVICES), count, p=DEVICE_SHARES),
            "slot": rng.geometric(0.1, count),
            "missing": rng.random(count) < MISSING,
        }
        yield first, columns


def _log_table(first: int, columns: dict[str, Array], user_ids: pa.Array, item_ids: pa.Array) -> pa.Table:
    """A block of the log; rows are a second apart."""
    seconds = first + np.arange(len(columns["user"]))
    return pa.table({
        "user": user_ids.take(arrow_numbers(columns["user"])),
        "item": item_ids.take(arrow_numbers(columns["item"])),
        "domain": _names(DOMAINS, columns["domain"]),
        "ts": arrow_numbers(seconds * 1_000_000).cast(pa.timestamp("us")),
        "device": _with_missing(_names(DEVICES, columns["device"]), columns["missing"]),
        "slot": arrow_numbers(columns["slot"].astype(np.int32)),
    })  # fmt: skip


def _user_table(count: int, rng: np.random.Generator) -> pa.Table:
    cities = _ids("city", 2000)
    return pa.table({
        "user": _ids("u", count),
        "segment": _names([f"segment {number}" for number in range(12)], rng.integers(12, size=count)),
        "city": _with_missing(cities.take(_long_tail(rng, 2000, count)), rng.random(count) < MISSING),
        "income": _with_missing(arrow_numbers(rng.lognormal(10, 0.5, count)), rng.random(count) < MISSING),
    })  # fmt: skip


def _item_table(count: int, rng: np.random.Generator) -> pa.Table:
    brand_ids = _ids("brand", max(10, count // 50))
    brands = brand_ids.take(_long_tail(rng, len(brand_ids), count))
    tag_ids = _ids("tag", TAGS)
    tags = [tag_ids.take(_long_tail(rng, TAGS, count)) for _ in range(TAGS_PER_ITEM)]
    return pa.table({
        "item": _ids("i", count),
        "category": _ids("category", 500).take(_long_tail(rng, 500, count)),
        "brand": _with_missing(brands, rng.random(count) < MISSING),
        "price": arrow_numbers(np.round(rng.lognormal(3, 1, count), 2)),
        "tags": pc.binary_join_element_wise(*tags, "|"),
    })  # fmt: skip


def _long_tail(rng: np.random.Generator, limit: int, count: int) -> pa.Array:
    """Numbers below `limit`, small ones more often than large ones (count,)."""
    return arrow_numbers((rng.random(count) ** 2 * limit).astype(np.int64))


def _ids(prefix: str, count: int) -> pa.Array:
    """Texts of one length, in ascending order (count,)."""
    digits = pc.utf8_lpad(arrow_numbers(np.arange(count)).cast(pa.string()), len(str(count - 1)), "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _names(names: Sequence[str], numbers: Array) -> pa.Array:
    return pa.array(names).take(arrow_numbers(numbers))


def _with_missing(values: pa.Array, missing: Array) -> pa.Array:
    """The values, with null where `missing` (n,) is true."""
    return pc.if_else(arrow_numbers(missing.astype(np.int8)).cast(pa.bool_()), None, values)
