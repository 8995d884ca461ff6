"""Attributes of items: the columns of their tables, to filter requests by and to show. No model sees them.

attributes/item.parquet             one row for each item, in the order of numbers: its id, and the tables' columns
attributes/item_domain/<d>.parquet  the same rows with the columns of the tables by domain, as they are in domain d;
                                    only where the schema has such tables

A value is null where the item has no row. The id is text and named as in the log; the tables' keys repeat it and are
left out. A column keeps its name; where two columns have the same name, each becomes ``table.column``.
`adi.preparation.feature_table` documents the types.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ibis
from ibis import _

from adi.engines.engine import Engine
from adi.errors import AdiError
from adi.preparation.feature_table import FeatureTable, attribute_column


def write_attributes(
    engine: Engine,
    tables: Sequence[FeatureTable],
    read: Mapping[str, ibis.Table],
    items: ibis.Table,
    id_name: str,
    domains: Sequence[str],
    out: Path,
    say: Callable[[str, int, int], None],
) -> dict[tuple[str, str], str]:
    """Write the attributes of the item tables below `out`, streamed; returns the name of each (table, column).

    `read` has the rows of each table, by name; `items` is the table (index, key) of all items, and `id_name` the log's
    name for the key. Raises `AdiError` if two attributes have the same name.
    """
    names = _names(tables, id_name)
    by_domain = [table for table in tables if table.by_domain]
    files = 1 + (len(domains) if by_domain else 0)
    say("attributes", 0, files)
    shared = [(read[table.name], _named(table, names)) for table in tables if not table.by_domain]
    _write(engine, items, {"key": id_name}, shared, out / "item.parquet")
    say("attributes", 1, files)
    for number, domain in enumerate(domains if by_domain else ()):
        sources = [(read[table.name].filter(_.domain == domain), _named(table, names)) for table in by_domain]
        _write(engine, items, {}, sources, out / "item_domain" / f"{number}.parquet")
        say("attributes", number + 2, files)
    return names


def _names(tables: Sequence[FeatureTable], id_name: str) -> dict[tuple[str, str], str]:
    """The attribute's name of each (table, column). Names that differ in case alone count as the same, as in SQL."""
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
    """The columns of a table as read that hold its attributes, with the names of these."""
    return {attribute_column(column): names[table.name, column] for column in table.attributes}


def _write(
    engine: Engine,
    items: ibis.Table,
    of_items: dict[str, str],
    sources: list[tuple[ibis.Table, dict[str, str]]],
    path: Path,
) -> None:
    """Write the columns `of_items` and those of the sources, joined to the items; dicts map columns to their names."""
    joined, columns, names = items, list(of_items), list(of_items.values())
    for source, named in sources:
        # Numbered, since two tables may have columns that differ in case alone, which are the same to the engine.
        numbered = {f"column_{len(columns) + number}": source[column] for number, column in enumerate(named)}
        attributes = source.select(other_key=_.key, **numbered)
        joined = joined.left_join(attributes, joined.key == attributes.other_key).drop("other_key")
        columns += numbered
        names += named.values()
    engine.write_parquet(joined.select("index", *columns), path, names, order_by=["index"])
