"""Exact ranks of held-out items among the whole corpus of their domain, by the rules of `adi.evaluation.ranking`.

Items of the history are not ranked unless the data has repeats, ties count half, and the rank of an item that is not
ranked is infinite. An item that the peer does not know ranks below all that it knows. A query that the peer cannot
score, since its user or history is unknown to it, gets the domain's popularity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.portfolio.peers.process.data import Array, Data, Queries

QUERIES_AT_ONCE = 512
LOWEST = float(np.finfo(np.float32).min)


class Model(Protocol):
    """A fitted peer: `known_items` (num_items,) marks the items that it has seen."""

    known_items: Array
    parameters: int

    def can_score(self, queries: Queries) -> Array:
        """Mask (n,) of the queries that it can score."""
        ...

    def scores(self, queries: Queries, items: Array) -> Array:
        """Scores (n, m) of items (m,) for queries that it can score."""
        ...


@dataclass(frozen=True)
class Ranked:
    """Ranks (n,) of the targets, and the number of distinct items in the lists of each of the `ks`."""

    ranks: Array
    covered: tuple[int, ...]


def rank(
    model: Model, queries: Queries, data: Data, counts: Array, *, scope: Sequence[int], ks: Sequence[int] = ()
) -> Ranked:
    """Rank the targets of queries, all of one domain; the model sees the parts of histories in the domains of `scope`.

    `counts` (num_items,) are the rows of each item in the queries' domain, for queries that the model cannot score.
    """
    ranks = np.full(len(queries), np.inf)
    if not len(queries):
        return Ranked(ranks, (0,) * len(ks))
    corpus = data.corpora[int(queries.domains[0])]
    covered = {k: np.zeros(len(corpus), dtype=bool) for k in ks}
    for first in range(0, len(queries), QUERIES_AT_ONCE):
        chunk = queries.at(np.arange(first, min(first + QUERIES_AT_ONCE, len(queries))))
        scores = _scores(model, chunk, corpus, counts, scope)
        if not data.repeats:
            columns, inside = positions_in(corpus, chunk.items)
            scores[chunk.history_rows[inside], columns[inside]] = -np.inf
        columns, inside = positions_in(corpus, chunk.targets)
        targets = scores[np.arange(len(chunk)), columns][:, None]
        halves = (scores > targets).sum(axis=1) + ((scores == targets).sum(axis=1) - 1) / 2
        ranks[first : first + len(chunk)] = np.where(inside & np.isfinite(targets[:, 0]), halves, np.inf)
        for k, items in covered.items():
            items[_listed(scores, min(k, len(corpus)))] = True
    return Ranked(ranks, tuple(int(items.sum()) for items in covered.values()))


def positions_in(items: Array, wanted: Array) -> tuple[Array, Array]:
    """The index in the ascending `items` of each of the items `wanted` (n,), and whether it is there, both (n,)."""
    positions = np.minimum(np.searchsorted(items, wanted), len(items) - 1)
    return positions, items[positions] == wanted


def _scores(model: Model, queries: Queries, corpus: Array, counts: Array, scope: Sequence[int]) -> Array:
    """Scores (n, m) of a corpus (m,): the model's, or where it has none the items' counts."""
    seen = queries.with_histories_where(np.isin(queries.item_domains, scope))
    can_score = np.flatnonzero(model.can_score(seen))
    scores = np.repeat(counts[corpus].astype(np.float32)[None], len(queries), axis=0)
    if len(can_score):
        scored = np.asarray(model.scores(seen.at(can_score), corpus), dtype=np.float32)
        if not np.isfinite(scored).all():
            raise ValueError("the scores are not finite: the training has diverged")
        scores[can_score] = np.where(model.known_items[corpus], scored, LOWEST)
    return scores


def _listed(scores: Array, k: int) -> Array:
    """The columns of the items in any row's list of the k highest scores (n, m)."""
    columns = np.argpartition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k :]
    return np.unique(columns[np.take_along_axis(scores, columns, axis=1) > -np.inf])
