"""``ranks.parquet``: the rank of each test query's item, for comparing runs query by query.

Columns: ``domain``, ``row``, ``user``, ``rank``, and the numbers by which queries are grouped
(`adi.evaluation.breakdown`).
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

FILE = "ranks.parquet"
COLUMNS = ("domain", "row", "user", "rank")


@dataclass(frozen=True)
class QueryRanks:
    """The ranks of the n test queries of a domain.

    Args:
        rows: row numbers of the queries in their part of the dataset, (n,).
        users: numbers of their users, (n,).
        ranks: ranks of their items, (n,), as in `adi.metrics`.
        by: the numbers by which queries are grouped, (n,) for each of `adi.evaluation.breakdown.BREAKDOWNS`.
    """

    rows: Array
    users: Array
    ranks: Array
    by: dict[str, Array]


def write_ranks(folder: Path, ranks: Mapping[str, QueryRanks]) -> str:
    """Write the ranks of each domain into a run's folder; returns a digest of the file."""
    parts = list(ranks.values())
    domains = np.repeat(np.array(list(ranks), dtype=object), [len(part.rows) for part in parts])
    columns = {
        "domain": pa.array(domains, pa.string()),
        "row": np.concatenate([part.rows for part in parts]).astype(np.int64),
        "user": np.concatenate([part.users for part in parts]).astype(np.int64),
        "rank": np.concatenate([part.ranks for part in parts]).astype(np.float64),
    }
    for name in parts[0].by:
        columns[name] = np.concatenate([part.by[name] for part in parts]).astype(np.int64)
    return write_table(folder / FILE, pa.table(columns))


def read_ranks(run: Run) -> dict[str, QueryRanks]:
    """Read the ranks of a run, by domain.

    Raises `AdiError` for a run without ranks, such as one evaluated by an older adi, and for ranks that do not belong
    to its ``metrics.json``.
    """
    table = read_table(run.folder / FILE, run.metrics.ranks, content="ranks")
    by = [name for name in table.column_names if name not in COLUMNS]
    ranks = {}
    for domain in run.domains:
        part = table.filter(pc.equal(table["domain"], domain))
        row, user, rank = (part[name].to_numpy() for name in COLUMNS[1:])
        ranks[domain] = QueryRanks(row, user, rank, {name: part[name].to_numpy() for name in by})
    return ranks
