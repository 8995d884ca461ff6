"""The ranks of an evaluation, kept: a row for each test query, from which runs are compared query by query.

ranks.parquet    domain, row, user, rank; and of each query what it is divided by, see `adi.evaluation.breakdown`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.data.folder import replace_file
from adi.errors import AdiError
from adi.evaluation.breakdown import BREAKDOWNS

RANKS = "ranks.parquet"


@dataclass(frozen=True)
class Ranked:
    """n queries of a domain: the numbers of their rows and users, and the ranks of their items, all (n,).

    Ranks are as in `adi.metrics`. `by` has what the queries are divided by, (n,) for each of
    `adi.evaluation.breakdown.BREAKDOWNS`.
    """

    rows: Array
    users: Array
    ranks: Array
    by: dict[str, Array]


def write_ranks(run: Path, ranked: Mapping[str, Ranked]) -> str:
    """Write the ranks of each domain to ``<run>/ranks.parquet``; returns a digest of the file.

    ``metrics.json`` is written afterwards and names the digest, so that ranks of one evaluation are never read with the
    metrics of another, wherever the writing was cut off.
    """
    parts = list(ranked.values())
    names = np.repeat(np.array(list(ranked), dtype=object), [len(own.rows) for own in parts])
    table = pa.table(
        {
            "domain": pa.array(names, pa.string()),
            "row": np.concatenate([own.rows for own in parts]).astype(np.int64),
            "user": np.concatenate([own.users for own in parts]).astype(np.int64),
            "rank": np.concatenate([own.ranks for own in parts]).astype(np.float64),
        }
        | {by: np.concatenate([own.by[by] for own in parts]).astype(np.int64) for by in BREAKDOWNS}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content = sink.getvalue().to_pybytes()
    replace_file(run / RANKS, content)
    return _digest(content)


def read_ranks(run: Path, digest: str | None, domains: Sequence[str]) -> dict[str, Ranked]:
    """The ranks of a run in each domain, from the file of the digest that ``metrics.json`` names.

    Raises `AdiError` where there is none, as in a run that was evaluated before ranks were kept, or another file.
    """
    path, again = run / RANKS, f"Run 'adi evaluate {run}' again, with the options it had."
    if digest is None:
        raise AdiError(f"{run / 'metrics.json'}: from before ranks were kept beside it. {again}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AdiError(f"{path}: cannot be read ({error.strerror}). {again}") from None
    if _digest(content) != digest:
        raise AdiError(f"{path}: not the file that metrics.json was made from (digest {digest}). {again}")
    table = pq.read_table(pa.BufferReader(content))
    if missing := [by for by in BREAKDOWNS if by not in table.column_names]:
        raise AdiError(f"{path}: from before {missing[0]} was kept in it. {again}")
    found = {}
    for name in domains:
        own = table.filter(pc.equal(table["domain"], name))
        rows, users, ranks = (own[column].to_numpy() for column in ("row", "user", "rank"))
        found[name] = Ranked(rows, users, ranks, {by: own[by].to_numpy() for by in BREAKDOWNS})
    return found


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
