"""The top k of many users, written to a Parquet file block by block."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.data.bids import check_weight
from adi.data.folder import new_file
from adi.data.manifest import NULL_ROW
from adi.errors import AdiError
from adi.index.allowed import AllowedItems
from adi.progress import Report, reporting
from adi.retrieval.retriever import Retriever, positions_in

USERS_AT_ONCE = 1024

SCHEMA = pa.schema(
    {"domain": pa.string(), "user": pa.string(), "items": pa.list_(pa.string()), "scores": pa.list_(pa.float32())}
)
"""Columns of the file: a row for each domain and user, with two lists of equal length, best first."""


def retrieve_all(
    source: Retriever | str | Path,
    out: str | Path,
    *,
    users: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    k: int = 10,
    exclude_seen: bool | None = None,
    filter: str | None = None,  # noqa: A002 - as in `Retriever.retrieve`
    bid_weight: float = 0.0,
    progress: bool | Report = True,
) -> int:
    """Write the top `k` of many users in several domains to a Parquet file, and return its number of rows.

    Memory does not grow with the number of users. Context features are taken as missing.

    retrieve_all("bundle", "top.parquet", domains=["feed"], k=100)

    Args:
        source: a run, a bundle, or a `Retriever` of one, such as ``Retriever(run, bid="bid")``.
        out: the file, with the columns of `SCHEMA`. It is complete or absent.
        users: ids; every known user if None.
        domains: names; every domain if None.
        exclude_seen, filter, bid_weight: as in `Retriever.retrieve`.
        progress: show a bar on standard error, in a terminal or a notebook; or a function to report to.

    Raises `AdiError` as `Retriever.retrieve` does, for an unknown user, and for a file that exists.
    """
    retriever = source if isinstance(source, Retriever) else Retriever(source)
    dataset = retriever.dataset
    if k < 1:
        raise AdiError(f"k = {k}: ask for at least one item.")
    check_weight(bid_weight)
    user_numbers = np.arange(len(dataset.users)) if users is None else _user_numbers(retriever, users)
    domain_numbers = [retriever.domain_number(name) for name in domains or dataset.domains]
    if exclude_seen is None:
        exclude_seen = not dataset.manifest.repeats
    rows = 0
    with reporting(progress) as report, new_file(Path(out)) as path, pq.ParquetWriter(path, SCHEMA) as writer:
        for domain in domain_numbers:
            allowed = None if filter is None else retriever.filters.allowed(domain, filter)
            for first in range(0, len(user_numbers), USERS_AT_ONCE):
                block = user_numbers[first : first + USERS_AT_ONCE]
                writer.write_table(_top_k(retriever, domain, block, k, exclude_seen, allowed, bid_weight))
                rows += len(block)
                report(dataset.domains[domain], first + len(block), len(user_numbers))
    return rows


def _user_numbers(retriever: Retriever, users: Sequence[str]) -> Array:
    numbers = [retriever.dataset.users.find(user) for user in users]
    unknown = [user for user, number in zip(users, numbers, strict=True) if number is None]
    if unknown:
        raise AdiError(f"user '{unknown[0]}' is not known, nor are {len(unknown) - 1} more. Leave new users out.")
    return np.asarray(numbers, dtype=np.int64)


def _top_k(
    retriever: Retriever,
    domain: int,
    users: Array,
    k: int,
    exclude_seen: bool,
    allowed: AllowedItems | None,
    bid_weight: float,
) -> pa.Table:
    """Return the rows of a block of users in a domain."""
    dataset, corpus = retriever.dataset, retriever.engine.items(domain)
    context = {feature.name: np.full(len(users), NULL_ROW) for feature in dataset.manifest.side("context")}
    queries = dataset.latest(users, np.full(len(users), domain), context)
    excluded = [np.empty(0, dtype=np.int64)] * len(users)
    if exclude_seen:
        histories = queries.histories
        excluded = [positions_in(corpus, histories.items[a:b]) for a, b in pairwise(histories.offsets)]
    hits = retriever.engine.search(domain, queries, k, allowed=allowed, excluded=excluded, bid_weight=bid_weight)
    offsets = pa.array(np.cumsum([0, *(len(top.positions) for top in hits)]), pa.int32())
    items = dataset.items.keys.take(pa.array(corpus[np.concatenate([top.positions for top in hits])]))
    scores = pa.array(np.concatenate([top.scores for top in hits]), pa.float32())
    return pa.table(
        [
            pa.array([dataset.domains[domain]] * len(users)),
            dataset.users.keys.take(pa.array(users)).combine_chunks(),
            pa.ListArray.from_arrays(offsets, items.combine_chunks()),
            pa.ListArray.from_arrays(offsets, scores),
        ],
        schema=SCHEMA,
    )
