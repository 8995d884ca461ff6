"""``lists.parquet``: the lists of a sample of test queries, to show examples and to compare models list by list.

Columns: ``domain``, ``row`` and ``items``, the numbers of the listed items in the dataset, best first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adi.data.arrays import Array
from adi.runs.measured_table import read_table, write_table
from adi.runs.run import Run

FILE = "lists.parquet"


@dataclass(frozen=True)
class QueryLists:
    """The lists of s test queries of a domain.

    Args:
        rows: row numbers of the queries in their part of the dataset, ascending, (s,).
        items: numbers of the listed items, best first, (s, k); -1 where a list is shorter.
    """

    rows: Array
    items: Array

    def of(self, rows: Array) -> Array:
        """The lists (n, k) of some of these queries, `rows` (n,)."""
        lists: Array = self.items[np.searchsorted(self.rows, rows)]
        return lists


def write_lists(folder: Path, lists: Mapping[str, QueryLists]) -> str:
    """Write the lists of each domain into a run's folder; returns a digest of the file."""
    parts = list(lists.values())
    domains = np.repeat(np.array(list(lists), dtype=object), [len(part.rows) for part in parts])
    items = [row[row >= 0] for part in parts for row in part.items]
    columns = {
        "domain": pa.array(domains, pa.string()),
        "row": pa.array(np.concatenate([part.rows for part in parts]), pa.int64()),
        "items": pa.array(items, pa.list_(pa.int32())),
    }
    return write_table(folder / FILE, pa.table(columns))


def read_lists(run: Run) -> dict[str, QueryLists]:
    """Read the lists of a run, by domain.

    Raises `AdiError` for a run without lists, such as one evaluated by an older adi, and for lists that do not belong
    to its ``metrics.json``.
    """
    info = run.metrics.lists
    table = read_table(run.folder / FILE, None if info is None else info.digest, content="lists")
    lists = {}
    for domain in run.domains:
        part = table.filter(pc.equal(table["domain"], domain))
        lists[domain] = QueryLists(part["row"].to_numpy(), _padded(part["items"].to_pylist()))
    return lists


def _padded(lists: list[list[int]]) -> Array:
    """Lists as an array (s, k), with -1 where a list is shorter than the longest."""
    items = np.full((len(lists), max(map(len, lists), default=0)), -1, dtype=np.int64)
    for row, listed in enumerate(lists):
        items[row, : len(listed)] = listed
    return items
