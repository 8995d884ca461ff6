"""Matrix factorisation by implicit: iALS, which folds in the query's history, and BPR, which knows users by number."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking

from benchmarks.portfolio.peers.process.data import Array, Queries, Rows
from benchmarks.portfolio.peers.process.tuning import Peer, Settings, Watch

ALS_PERIOD, ALS_EPOCHS = 3, 30
BPR_PERIOD, BPR_EPOCHS = 20, 600
"""The epochs from one validation to the next, and at most."""

THREADS = int(os.environ.get("OMP_NUM_THREADS", "0"))


class FoldedIn:
    """iALS: the user's factors are solved for from the items of the query's history, as the training does."""

    def __init__(self, als: AlternatingLeastSquares, known_items: Array) -> None:
        self.als, self.known_items = als, known_items
        self.parameters = int(als.user_factors.size + als.item_factors.size)

    def can_score(self, queries: Queries) -> Array:
        known = self.known_items[queries.items]
        return np.bincount(queries.history_rows[known], minlength=len(queries)) > 0

    def scores(self, queries: Queries, items: Array) -> Array:
        counts = np.ones(len(queries.items), dtype=np.float32)
        shape = (len(queries), len(self.known_items))
        history = sp.csr_matrix((counts, (queries.history_rows, queries.items)), shape=shape)
        history.sum_duplicates()
        factors = self.als.recalculate_user(np.arange(len(queries)), history)
        scores: Array = factors @ self.als.item_factors[items].T
        return scores


class ByUser:
    """BPR: users by number, as of the training; a user without training rows is unknown."""

    def __init__(self, bpr: BayesianPersonalizedRanking, known_users: Array, known_items: Array) -> None:
        self.bpr, self.known_users, self.known_items = bpr, known_users, known_items
        self.parameters = int(bpr.user_factors.size + bpr.item_factors.size)

    def can_score(self, queries: Queries) -> Array:
        known: Array = self.known_users[queries.users]
        return known

    def scores(self, queries: Queries, items: Array) -> Array:
        scores: Array = self.bpr.user_factors[queries.users] @ self.bpr.item_factors[items].T
        return scores


def fit_als(rows: Rows, settings: Settings, *, epochs: int | None, seed: int, watch: Watch | None) -> FoldedIn:
    als = AlternatingLeastSquares(**settings, num_threads=THREADS, random_state=seed)
    known_items = np.bincount(rows.items, minlength=rows.num_items) > 0
    matrix = counts_of(rows)
    for done in _periods(als, epochs or ALS_EPOCHS, ALS_PERIOD):
        als.fit(matrix, show_progress=False)
        if watch is not None and not watch(done, FoldedIn(als, known_items)):
            break
    return FoldedIn(als, known_items)


def fit_bpr(rows: Rows, settings: Settings, *, epochs: int | None, seed: int, watch: Watch | None) -> ByUser:
    bpr = BayesianPersonalizedRanking(**settings, num_threads=THREADS)
    known_users = np.bincount(rows.users, minlength=rows.num_users) > 0
    known_items = np.bincount(rows.items, minlength=rows.num_items) > 0
    matrix = counts_of(rows)
    for done in _periods(bpr, epochs or BPR_EPOCHS, BPR_PERIOD):
        bpr.random_state = seed + done  # or each period would draw the same pairs
        bpr.fit(matrix, show_progress=False)
        if watch is not None and not watch(done, ByUser(bpr, known_users, known_items)):
            break
    return ByUser(bpr, known_users, known_items)


def counts_of(rows: Rows) -> Any:
    """The number of times that each user took each item, as a sparse matrix (num_users, num_items)."""
    shape = (rows.num_users, rows.num_items)
    matrix = sp.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows.users, rows.items)), shape=shape)
    matrix.sum_duplicates()
    return matrix


def _periods(model: Any, epochs: int, period: int) -> Iterator[int]:
    """Set the iterations of each period in turn; yields their sum so far. `fit` goes on from the factors it has."""
    for done in range(0, epochs, period):
        model.iterations = min(period, epochs - done)
        yield done + model.iterations


IALS = Peer(
    fit=fit_als,
    settings=[
        {"factors": factors, "alpha": alpha, "regularization": regularization}
        for factors in (64, 256)
        for alpha, regularization in ((5.0, 5.0), (20.0, 20.0), (50.0, 50.0), (50.0, 200.0), (200.0, 1000.0))
    ],
    patience=2,
    packages=("pm-implicit", "numpy", "scipy"),
)
BPR = Peer(
    fit=fit_bpr,
    settings=[
        {"factors": factors, "learning_rate": rate, "regularization": regularization}
        for factors in (64, 256)
        for rate, regularization in ((0.05, 0.03), (0.1, 0.01), (0.1, 0.03))
    ],
    patience=5,
    packages=("pm-implicit", "numpy", "scipy"),
)
