"""The top k of many users, written block by block to a Parquet file, or to a folder of them by several processes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.data.bids import check_weight
from adi.data.folder import new_file
from adi.data.manifest import NULL_ROW
from adi.errors import AdiError, ArgumentError
from adi.index.allowed import AllowedItems
from adi.progress import Report, reporting
from adi.retrieval.list_files import ListFiles, ListsRequest
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
    part: tuple[int, int] = (1, 1),
    progress: bool | Report = True,
) -> int:
    """Write the top `k` of many users in several domains, and return the number of rows written.

    Memory does not grow with the number of users. Context features are taken as missing.

    retrieve_all("bundle", "top.parquet", domains=["feed"], k=100)
    retrieve_all("bundle", "top", k=100, part=(1, 8))    # on the first of eight machines

    Args:
        source: a run, a bundle, or a `Retriever` of one, such as ``Retriever(run, bid="bid")``.
        out: a file ``NAME.parquet``, with the columns of `SCHEMA`, complete or absent; or a folder of such files
            (`adi.retrieval.list_files`), in which the same call goes on after an interruption.
        users: ids; every known user if None.
        domains: names; every domain that the source answers if None.
        exclude_seen, filter, bid_weight: as in `Retriever.retrieve`.
        part: (i, n): write the i-th of n parts of a folder's files. Calls for different parts, in several processes or
            on several machines, write into one folder.
        progress: show a bar on standard error, in a terminal or a notebook; or a function to report to.

    Raises `AdiError` as `Retriever.retrieve` does, for an unknown user, for a file that exists, and for a folder with
    lists of another request, of another bundle or training, or of other data.
    """
    retriever = source if isinstance(source, Retriever) else Retriever(source)
    dataset, out = retriever.dataset, Path(out)
    if k < 1:
        raise AdiError(f"k = {k}: ask for at least one item.")
    check_weight(bid_weight)
    number, of = part
    if not 1 <= number <= of:
        raise ArgumentError("part", f"{number}/{of}; give one of 1/{of} to {of}/{of}.")
    if exclude_seen is None:
        exclude_seen = not dataset.manifest.repeats
    user_numbers = np.arange(len(dataset.users)) if users is None else _user_numbers(retriever, users)
    names = tuple(domains or retriever.domains)
    lists = _Lists(retriever, user_numbers, k, exclude_seen, filter, bid_weight)
    domain_numbers = [retriever.answered_number(name) for name in names]
    with reporting(progress) as report:
        if out.suffix == ".parquet":
            if of > 1:
                raise ArgumentError("part", f"{out} is one file, without parts. Give a folder.")
            rows = 0
            with new_file(out) as path, pq.ParquetWriter(path, SCHEMA) as writer:
                for domain in domain_numbers:
                    rows += lists.write(writer, domain, range(len(user_numbers)), report)
            return rows
        request = ListsRequest.of(retriever.engine.source(), user_numbers, names, k, exclude_seen, filter, bid_weight)
        rows = 0
        for name, selected, path in ListFiles(out, request, len(user_numbers)).missing(part):
            with new_file(path) as unfinished, pq.ParquetWriter(unfinished, SCHEMA.remove(0)) as writer:
                rows += lists.write(writer, retriever.domain_number(name), selected, report)
        return rows


@dataclass(frozen=True)
class _Lists:
    """The lists of users (n,), by number, in any domain."""

    retriever: Retriever
    users: Array
    k: int
    exclude_seen: bool
    filter: str | None
    bid_weight: float

    def write(self, writer: pq.ParquetWriter, domain: int, selected: range, report: Report) -> int:
        """Write the rows of the users at some positions, with the columns of the writer; returns their number."""
        name, done = self.retriever.dataset.domains[domain], 0
        for table in self._blocks(domain, selected):
            writer.write_table(table.select(writer.schema.names))
            done += len(table)
            report(name, selected.start + done, len(self.users))
        return done

    def _blocks(self, domain: int, selected: range) -> Iterator[pa.Table]:
        allowed = None if self.filter is None else self.retriever.filters.allowed(domain, self.filter)
        for first in range(selected.start, selected.stop, USERS_AT_ONCE):
            yield self._top_k(domain, self.users[first : min(first + USERS_AT_ONCE, selected.stop)], allowed)

    def _top_k(self, domain: int, users: Array, allowed: AllowedItems | None) -> pa.Table:
        """The rows of a block of users in a domain."""
        dataset, corpus = self.retriever.dataset, self.retriever.engine.items(domain)
        context = {feature.name: np.full(len(users), NULL_ROW) for feature in dataset.manifest.side("context")}
        queries = dataset.latest(users, np.full(len(users), domain), context)
        excluded = [np.empty(0, dtype=np.int64)] * len(users)
        if self.exclude_seen:
            histories = queries.histories
            excluded = [positions_in(corpus, histories.items[a:b]) for a, b in pairwise(histories.offsets)]
        hits = self.retriever.engine.search(
            domain, queries, self.k, allowed=allowed, excluded=excluded, bid_weight=self.bid_weight
        )
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


def _user_numbers(retriever: Retriever, users: Sequence[str]) -> Array:
    numbers = [retriever.dataset.users.find(user) for user in users]
    unknown = [user for user, number in zip(users, numbers, strict=True) if number is None]
    if unknown:
        raise AdiError(f"user '{unknown[0]}' is not known, nor are {len(unknown) - 1} more. Leave new users out.")
    return np.asarray(numbers, dtype=np.int64)
