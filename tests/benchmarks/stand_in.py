"""Peers that the normal interpreter can run, for the tests of the exchange with a peer's process."""

from dataclasses import dataclass

import numpy as np

from benchmarks.portfolio.peers.process.data import Array, Queries, Rows
from benchmarks.portfolio.peers.process.tuning import Peer, Settings, Watch

GOOD_EPOCH, EPOCHS = 3, 9


@dataclass
class Counted:
    """Scores an item by its rows in the query's domain, times a factor."""

    rows: Rows
    factor: float
    parameters: int = 0

    @property
    def known_items(self) -> Array:
        return np.ones(self.rows.num_items, dtype=bool)

    def can_score(self, queries: Queries) -> Array:
        return np.ones(len(queries), dtype=bool)

    def scores(self, queries: Queries, items: Array) -> Array:
        return np.stack([self.factor * self.rows.counts(domain)[items] for domain in queries.domains])


def fit(rows: Rows, settings: Settings, *, epochs: int | None, seed: int, watch: Watch | None) -> Counted:
    """Popularity after `GOOD_EPOCH` epochs, and nothing of use after any other number."""

    def model(epoch: int) -> Counted:
        return Counted(rows, settings["factor"] * (epoch == GOOD_EPOCH), parameters=rows.num_items)

    if watch is None:
        assert epochs is not None
        return model(epochs)
    for epoch in range(1, EPOCHS + 1):
        if not watch(epoch, model(epoch)):
            break
    return model(epoch)


def fail(rows: Rows, settings: Settings, *, epochs: int | None, seed: int, watch: Watch | None) -> Counted:
    raise ValueError("no luck today")


POPULARITY = Peer(fit=fit, settings=[{"factor": -1.0}, {"factor": 1.0}], patience=2, packages=("numpy",))
BROKEN = Peer(fit=fail, settings=[{}], patience=2, packages=())
