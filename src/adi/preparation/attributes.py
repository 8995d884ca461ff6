"""The items' own columns, as their tables have them: what a request filters by and a page shows. No model sees them.

attributes/item.parquet             a row for each item, in the order of the numbers: its id, and the tables' columns
attributes/item_domain/<d>.parquet  the same rows with the columns of the tables by domain, as they are in domain d;
                                    only where the schema has such tables

A value is null where the item has no row. The id is text and named as in the log; the tables' keys, which say the same,
are left out. A column keeps its name, unless that would come twice: then it is ``table.column`` in each of its tables.
`adi.preparation.feature_table` says which type a column has.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _

from adi.data.arrays import ROWS_PER_BATCH
from adi.errors import AdiError
from adi.preparation.feature_table import FeatureTable, attribute_column


def write_attributes(
    tables: Sequence[FeatureTable],
    read: Mapping[str, ibis.Table],
    items: ibis.Table,
    id_name: str,
    domains: Sequence[str],
    out: Path,
    say: Callable[[str, int, int], None],
) -> None:
    """Write the attributes of the item tables below `out`, streamed.

    `read` has each table as `FeatureTable.read` made it, by name; `items` is the table (index, key) of all items, and
    `id_name` the log's name for the key. Raises `AdiError` where two attributes cannot be told apart by name.
    """
    names = _names(tables, id_name)
    whole = [table for table in tables if not table.by_domain]
    parts = [table for table in tables if table.by_domain]
    of = 1 + (len(domains) if parts else 0)
    say("attributes", 0, of)
    shared = [(read[table.name], _named(table, names)) for table in whole]
    _write(items, {"key": id_name}, shared, out / "item.parquet")
    say("attributes", 1, of)
    for number, domain in enumerate(domains if parts else ()):
        own = [(read[table.name].filter(_.domain == domain), _named(table, names)) for table in parts]
        _write(items, {}, own, out / "item_domain" / f"{number}.parquet")
        say("attributes", number + 2, of)


def _names(tables: Sequence[FeatureTable], id_name: str) -> dict[tuple[str, str], str]:
    """What each (table, column) is called; names that differ in case alone count as the same, as SQL has it."""
    columns = [(table, column) for table in tables for column in table.attributes]
    times = Counter([id_name.casefold(), *(column.casefold() for _table, column in columns)])
    names = {
        (table.name, column): column if times[column.casefold()] == 1 else f"{table.name}.{column}"
        for table, column in columns
    }
    times = Counter([id_name.casefold(), *(name.casefold() for name in names.values())])
    for (table_name, column), name in names.items():
        if times[name.casefold()] > 1:
            raise AdiError(
                f"tables.{table_name}, column '{column}': among the items' attributes it would be '{name}', and so "
                "would another column. Rename one of them in its file."
            )
    return names


def _named(table: FeatureTable, names: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """The columns of a table as read that hold its attributes, with their names."""
    return {attribute_column(column): names[table.name, column] for column in table.attributes}


def _write(
    items: ibis.Table, own: dict[str, str], sources: list[tuple[ibis.Table, dict[str, str]]], path: Path
) -> None:
    """Join each source to the items and write, by item, the columns that the maps name, under their names there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    joined, places, names = items, list(own), list(own.values())
    for source, named in sources:
        # Numbered, since two tables may have columns that only their case tells apart, which the engine cannot.
        new = {f"place_{len(places) + place}": source[column] for place, column in enumerate(named)}
        other = source.select(other_key=_.key, **new)
        joined = joined.left_join(other, joined.key == other.other_key).drop("other_key")
        places += new
        names += named.values()
    ordered = joined.select("index", *places).order_by("index").to_pyarrow_batches(chunk_size=ROWS_PER_BATCH)
    schema = pa.schema([ordered.schema.field(place).with_name(name) for place, name in zip(places, names, strict=True)])
    with pq.ParquetWriter(path, schema) as writer:
        for batch in ordered:
            writer.write_batch(pa.RecordBatch.from_arrays([batch.column(place) for place in places], schema=schema))
