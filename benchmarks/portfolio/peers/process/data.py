"""The rows, queries and corpora of a data set, as `benchmarks.portfolio.peers.exchange` writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Rows:
    """Interactions (n,) in the order of users and then of time; `num_users` and `num_items` bound the numbers."""

    users: Array
    items: Array
    domains: Array
    num_users: int
    num_items: int

    def __len__(self) -> int:
        return len(self.users)

    def where(self, chosen: Array) -> "Rows":
        """The rows of a mask (n,)."""
        return Rows(self.users[chosen], self.items[chosen], self.domains[chosen], self.num_users, self.num_items)

    def of(self, domains: Sequence[int]) -> "Rows":
        """The rows of some domains."""
        return self.where(np.isin(self.domains, domains))

    def counts(self, domain: int) -> Array:
        """The number of rows of each item in a domain (num_items,)."""
        return np.bincount(self.items[self.domains == domain], minlength=self.num_items)


@dataclass(frozen=True)
class Queries:
    """Requests of `users` (n,) in `domains` (n,), each for a held-out item of `targets` (n,).

    The history of query q are the `items`, oldest first, from ``offsets[q]`` to ``offsets[q + 1]``, with their
    `item_domains`.
    """

    users: Array
    domains: Array
    targets: Array
    items: Array
    item_domains: Array
    offsets: Array

    def __len__(self) -> int:
        return len(self.users)

    @property
    def history_rows(self) -> Array:
        """The query of each item of all histories."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def at(self, positions: Array) -> "Queries":
        """The queries at some positions."""
        lengths = np.diff(self.offsets)[positions]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        held = np.arange(offsets[-1]) + np.repeat(self.offsets[positions] - offsets[:-1], lengths)
        users, domains, targets = (column[positions] for column in (self.users, self.domains, self.targets))
        return Queries(users, domains, targets, self.items[held], self.item_domains[held], offsets)

    def in_domain(self, domain: int) -> "Queries":
        return self.at(np.flatnonzero(self.domains == domain))

    def with_histories_where(self, kept: Array) -> "Queries":
        """The queries with only those items of their histories that a mask over all items keeps."""
        before = np.concatenate([[0], np.cumsum(kept)])
        history = self.items[kept], self.item_domains[kept], before[self.offsets]
        return Queries(self.users, self.domains, self.targets, *history)


@dataclass(frozen=True)
class Data:
    """A data set.

    `is_validation` marks validation rows among `rows`. `corpora` are the retrievable items of each domain, ascending.
    With `repeats`, lists may hold the items of the history. Settings are chosen by NDCG@`k`; coverage is counted of
    lists of `ks`.
    """

    rows: Rows
    is_validation: Array
    validation: Queries
    test: Queries
    corpora: list[Array]
    repeats: bool
    k: int
    ks: tuple[int, ...]


def read_data(path: Path) -> Data:
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    sizes = int(arrays["num_users"]), int(arrays["num_items"])
    return Data(
        rows=Rows(arrays["user"], arrays["item"], arrays["domain"], *sizes),
        is_validation=arrays["is_validation"],
        validation=_queries(arrays, "validation"),
        test=_queries(arrays, "test"),
        corpora=np.split(arrays["corpus_item"], arrays["corpus_offsets"][1:-1]),
        repeats=bool(arrays["repeats"]),
        k=int(arrays["k"]),
        ks=tuple(arrays["ks"].tolist()),
    )


def _queries(arrays: dict[str, Array], part: str) -> Queries:
    names = ("user", "domain", "target", "history_item", "history_domain", "history_offsets")
    return Queries(*(arrays[f"{part}_{name}"] for name in names))
