"""Users and items, numbered in the order of their ids, and tables written in these numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ibis
import pyarrow as pa
from ibis import _

from adi.engines.engine import Engine

SIDES: tuple[Literal["user", "item"], ...] = ("user", "item")
SCHEMA = pa.schema({"index": pa.int32(), "key": pa.string()})
ROWS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Entities:
    """All users or all items: the table (index, key) of their numbers and ids, and its `size`."""

    table: ibis.Table
    size: int


def number_entities(engine: Engine, side: str, sources: list[ibis.Table], out: Path) -> Entities:
    """Number the distinct ids in the `key` columns of `sources` from 0, in the order of the ids.

    Writes them to ``<out>/<side>.arrow``, which `adi.data.entity_ids` maps into memory.
    """
    keys = [source.select(key=_.key).filter(_.key.notnull()) for source in sources]
    distinct = ibis.union(*keys, distinct=True) if len(keys) > 1 else keys[0].distinct()
    table = engine.number(f"entities_{side}", distinct, ["key"], "index").mutate(index=_.index.cast("int32"))
    out.mkdir(parents=True, exist_ok=True)
    size = 0
    with pa.ipc.new_file(out / f"{side}.arrow", SCHEMA) as writer:
        for batch in engine.batches(table.select("index", "key"), ["index"], ROWS_AT_ONCE):
            writer.write_batch(batch.cast(SCHEMA))
            size += batch.num_rows
    return Entities(table, size)


def in_numbers(rows: ibis.Table, entities: Mapping[str, Entities], domains: tuple[str, ...]) -> ibis.Table:
    """Replace the texts in the columns user, item and domain by numbers, and drop rows with an unknown one."""
    names = pa.table({"domain": domains, "domain_index": pa.array(range(len(domains)), pa.int16())})
    for side in SIDES:
        numbers = entities[side].table.select(**{side: _.key, f"{side}_index": _.index})
        if side in rows.columns:
            rows = rows.join(numbers, side).drop(side).rename({side: f"{side}_index"})
    return rows.join(ibis.memtable(names), "domain").drop("domain").rename(domain="domain_index")
