"""A log with ten features, drawn as fast as it can be written, and the schema that describes it.

Users and items are drawn with a long tail; times ascend, as those of a log do. The features are three of the user, five
of the item, its id among them, and two of the row. A hundredth of the values is missing.
"""

import json
from collections.abc import Iterator
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
from adi.schema import Strict

SIZE = "log.json"
LOG, USERS, ITEMS = "clicks.parquet", "users.parquet", "items.parquet"
DOMAINS = ("search", "feed", "cart")
SHARES = (0.6, 0.3, 0.1)
DEVICES = ("phone", "desktop", "tablet", "tv")
DEVICE_SHARES = (0.6, 0.25, 0.1, 0.05)
TAGS = 1000
TAGS_OF_AN_ITEM = 3
MISSING = 0.01
ROWS_AT_ONCE = 1 << 20

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
    "split": {"kind": "last"},
}


class LogSize(Strict):
    """How large a log is; 10 million rows are of 2 million users and half a million items."""

    rows: int = Field(1_000_000, ge=1000)
    seed: int = 0

    @property
    def users(self) -> int:
        return self.rows // 5

    @property
    def items(self) -> int:
        return self.rows // 20


def simulated_log(folder: Path, size: LogSize) -> Path:
    """The folder of the log's tables: that of an earlier call in `folder`, or a new one.

    Raises `AdiError` where there is another log.
    """
    place = folder / f"log-{size.rows}"
    if (place / SIZE).exists():
        made = json.loads((place / SIZE).read_text(encoding="utf-8"))
        if made != size.model_dump():
            raise AdiError(f"{place}: holds a log of {made}, and {size.model_dump()} is asked for. Remove it.")
        return place
    with new_folder(place) as new:
        _write_log(new / LOG, size)
        rng = np.random.default_rng([size.seed, 1])
        pq.write_table(_user_table(size.users, rng), new / USERS)
        pq.write_table(_item_table(size.items, rng), new / ITEMS)
        (new / "schema.yaml").write_text(yaml.safe_dump(SCHEMA, sort_keys=False), encoding="utf-8")
        (new / SIZE).write_text(json.dumps(size.model_dump()), encoding="utf-8")
    return place


def _write_log(path: Path, size: LogSize) -> None:
    users, items = _keys("u", size.users), _keys("i", size.items)
    blocks = (_log_table(first, numbers, users, items) for first, numbers in _draws(size))
    block = next(blocks)
    with pq.ParquetWriter(path, block.schema) as writer:
        for own in chain([block], blocks):
            writer.write_table(own)


def _draws(size: LogSize) -> Iterator[tuple[int, dict[str, Array]]]:
    """The first row of each block of the log, and the numbers of its rows; some users and items are drawn often."""
    places = {
        "user": np.random.default_rng([size.seed, 2]).permutation(size.users),
        "item": np.random.default_rng([size.seed, 3]).permutation(size.items),
    }
    for first in range(0, size.rows, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, size.rows - first)
        rng = np.random.default_rng([size.seed, 0, first])
        numbers = {
            "user": places["user"][(rng.random(count) ** 1.5 * size.users).astype(np.int64)],
            "item": places["item"][(rng.random(count) ** 3 * size.items).astype(np.int64)],
            "domain": rng.choice(len(DOMAINS), count, p=SHARES),
            "device": rng.choice(len(DEVICES), count, p=DEVICE_SHARES),
            "slot": rng.geometric(0.1, count),
            "missing": rng.random(count) < MISSING,
        }
        yield first, numbers


def _log_table(first: int, numbers: dict[str, Array], users: pa.Array, items: pa.Array) -> pa.Table:
    """A block of the log; a row comes each second."""
    times = first + np.arange(len(numbers["user"]))
    return pa.table({
        "user": users.take(arrow_numbers(numbers["user"])),
        "item": items.take(arrow_numbers(numbers["item"])),
        "domain": _named(DOMAINS, numbers["domain"]),
        "ts": arrow_numbers(times * 1_000_000).cast(pa.timestamp("us")),
        "device": _without(_named(DEVICES, numbers["device"]), numbers["missing"]),
        "slot": arrow_numbers(numbers["slot"].astype(np.int32)),
    })  # fmt: skip


def _user_table(count: int, rng: np.random.Generator) -> pa.Table:
    cities = _keys("city", 2000)
    return pa.table({
        "user": _keys("u", count),
        "segment": _named([f"segment {number}" for number in range(12)], rng.integers(12, size=count)),
        "city": _without(cities.take(arrow_numbers(_tail(rng, 2000, count))), rng.random(count) < MISSING),
        "income": _without(arrow_numbers(rng.lognormal(10, 0.5, count)), rng.random(count) < MISSING),
    })  # fmt: skip


def _item_table(count: int, rng: np.random.Generator) -> pa.Table:
    brands = _keys("brand", max(10, count // 50))
    brand = brands.take(arrow_numbers(_tail(rng, len(brands), count)))
    tags = _keys("tag", TAGS)
    own = [tags.take(arrow_numbers(_tail(rng, TAGS, count))) for _ in range(TAGS_OF_AN_ITEM)]
    return pa.table({
        "item": _keys("i", count),
        "category": _keys("category", 500).take(arrow_numbers(_tail(rng, 500, count))),
        "brand": _without(brand, rng.random(count) < MISSING),
        "price": arrow_numbers(np.round(rng.lognormal(3, 1, count), 2)),
        "tags": pc.binary_join_element_wise(*own, "|"),
    })  # fmt: skip


def _tail(rng: np.random.Generator, values: int, count: int) -> Array:
    """Numbers below `values`, the small ones more often (count,)."""
    return (rng.random(count) ** 2 * values).astype(np.int64)


def _keys(word: str, count: int) -> pa.Array:
    """Texts of one length, in ascending order (count,)."""
    digits = pc.utf8_lpad(arrow_numbers(np.arange(count)).cast(pa.string()), len(str(count - 1)), "0")
    return pc.binary_join_element_wise(word, digits, "")


def _named(names: tuple[str, ...] | list[str], numbers: Array) -> pa.Array:
    return pa.array(names).take(arrow_numbers(numbers))


def _without(values: pa.Array, missing: Array) -> pa.Array:
    """The values, but for those that are missing (n,)."""
    return pc.if_else(arrow_numbers(missing.astype(np.int8)).cast(pa.bool_()), None, values)
