"""The top-K of many users, written to Parquet block by block."""

from collections.abc import Callable, Sequence
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
from adi.retrieval.engine import Admitted, places
from adi.retrieval.retriever import Retriever

USERS_AT_ONCE = 1024

SCHEMA = pa.schema(
    {"domain": pa.string(), "user": pa.string(), "items": pa.list_(pa.string()), "scores": pa.list_(pa.float32())}
)
"""Of the file: a row for each user and domain; the lists are of one length, best first."""


def retrieve_all(
    retriever: Retriever,
    out: Path,
    *,
    users: Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    k: int = 10,
    exclude_seen: bool | None = None,
    filter: str | None = None,  # noqa: A002 - as of `Retriever.retrieve`
    bid_weight: float = 0.0,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Write the top `k` of users, all that are known where None, in domains, all where None; returns the rows written.

    Memory does not grow with the number of users. Context features are missing, and so is what came after the bundle.

    Args:
        out: the file, which is complete or absent. It has the columns of `SCHEMA`.
        exclude_seen, filter, bid_weight: as of `Retriever.retrieve`.
        progress: told (domain, users done, of).

    Raises `AdiError` as `Retriever.retrieve` does, and for a user that is not known.
    """
    dataset = retriever.dataset
    if k < 1:
        raise AdiError(f"k = {k}: ask for at least one item.")
    check_weight(bid_weight)
    numbers = np.arange(len(dataset.users)) if users is None else _numbers(retriever, users)
    chosen = [retriever.domain(name) for name in domains or dataset.domains]
    without_seen = not dataset.manifest.repeats if exclude_seen is None else exclude_seen
    written = 0
    with new_file(out) as path, pq.ParquetWriter(path, SCHEMA) as writer:
        for domain in chosen:
            admitted = None if filter is None else retriever.admission.admitted(domain, filter)
            for first in range(0, len(numbers), USERS_AT_ONCE):
                block = numbers[first : first + USERS_AT_ONCE]
                writer.write_table(_block(retriever, domain, block, k, admitted, without_seen, bid_weight))
                written += len(block)
                if progress is not None:
                    progress(dataset.domains[domain], first + len(block), len(numbers))
    return written


def _numbers(retriever: Retriever, users: Sequence[str]) -> Array:
    found = [retriever.dataset.users.find(user) for user in users]
    if None in found:
        strange = [user for user, number in zip(users, found, strict=True) if number is None]
        raise AdiError(f"user '{strange[0]}' is not known, nor are {len(strange) - 1} more. Leave out who is new.")
    return np.asarray(found, dtype=np.int64)


def _block(
    retriever: Retriever,
    domain: int,
    users: Array,
    k: int,
    admitted: Admitted | None,
    without_seen: bool,
    bid_weight: float,
) -> pa.Table:
    """The rows of some users in a domain."""
    dataset, corpus = retriever.dataset, retriever.engine.items(domain)
    context = {feature.name: np.full(len(users), NULL_ROW) for feature in dataset.manifest.side("context")}
    queries = dataset.latest(users, np.full(len(users), domain), context)
    cuts = queries.histories.offsets
    seen = [queries.histories.items[a:b] for a, b in pairwise(cuts)] if without_seen else [corpus[:0]] * len(users)
    excluded = [places(corpus, own) for own in seen]
    found = retriever.engine.search(domain, queries, k, admitted=admitted, excluded=excluded, bid_weight=bid_weight)
    offsets = pa.array(np.cumsum([0, *(len(own.positions) for own in found)]), pa.int32())
    items = dataset.items.keys.take(pa.array(corpus[np.concatenate([own.positions for own in found])]))
    scores = pa.array(np.concatenate([own.scores for own in found]), pa.float32())
    return pa.table(
        [
            pa.array([dataset.domains[domain]] * len(users)),
            dataset.users.keys.take(pa.array(users)).combine_chunks(),
            pa.ListArray.from_arrays(offsets, items.combine_chunks()),
            pa.ListArray.from_arrays(offsets, scores),
        ],
        schema=SCHEMA,
    )
