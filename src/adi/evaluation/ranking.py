"""Where each held-out item ranks: exactly, among the whole corpus of its domain or among given candidates."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Histories, Part
from adi.evaluation.coverage import Coverage
from adi.evaluation.ranks import Ranked
from adi.models.scorer import Scorer, finite

QUERIES_AT_ONCE = 1 << 10
LOGITS_AT_ONCE = 1 << 25
"""Queries and scores in memory at a time; more queries make a matrix product no faster."""
CACHED_AT_ONCE = 1 << 20
"""Scores that are counted at a time: few enough to stay in the processor's cache between one pass and the next."""


@dataclass(frozen=True)
class Rankings(Ranked):
    """n rankings of one domain, with how many items there were to rank, and `shown[k]` of them in the top-k lists."""

    shown: dict[int, int]
    ranked: int


def rank(
    scorer: Scorer,
    dataset: Dataset,
    part: Part,
    domain: int,
    rows: Array,
    *,
    candidates: tuple[Array, Array] | None,
    causal: bool,
    ks: tuple[int, ...],
) -> Rankings:
    """Rank each row's item among all items that can be retrieved in the domain, or among the row's own candidates.

    Of the corpus, items of the query's history are left out unless the data has repeats; the relevant item itself never
    is. Candidates, as items and offsets, are ranked as they are given. A relevant item that is not among those ranked
    has an infinite rank.

    Raises `AdiError` when the model's scores are not finite.
    """
    items = dataset.corpora.retrievable(domain) if candidates is None else np.unique(candidates[0])
    users, wanted, _ = dataset.targets(part, rows)
    ranks = np.full(len(rows), np.inf)
    history, history_in_domain = np.zeros((2, len(rows)), dtype=np.int64)
    popularity = dataset.corpora.counts_of(domain, wanted)
    by = {"history_length": history, "history_in_domain": history_in_domain, "item_popularity": popularity}
    coverage = Coverage(num_items=len(items), ks=ks)
    if not len(rows):
        return Rankings(rows, users, ranks, by, coverage.counts(), len(items))
    score = scorer.against(domain, items)
    size = max(1, min(QUERIES_AT_ONCE, LOGITS_AT_ONCE // len(items)))
    cached = max(1, CACHED_AT_ONCE // len(items))
    for first in range(0, len(rows), size):
        chunk = slice(first, first + size)
        queries = dataset.queries(part, rows[chunk], causal=causal)
        scores = finite(score(queries))  # (n, m)
        if candidates is not None:
            cuts = candidates[1][first : first + size + 1]
            _keep(scores, items, candidates[0][cuts[0] : cuts[-1]], np.diff(cuts))
        elif not dataset.manifest.repeats:
            _leave_out(scores, items, queries.histories, wanted[chunk])
        columns, known = positions_in(items, wanted[chunk])
        own = scores.gather(1, torch.from_numpy(columns)[:, None])  # (n, 1)
        counted = []
        for block, block_own in zip(torch.split(scores, cached), torch.split(own, cached), strict=True):
            counted.append(_ranks(block, block_own))
            coverage.add(block)
        ranked = known & (own[:, 0] > -torch.inf).numpy()
        ranks[chunk] = np.where(ranked, torch.cat(counted).numpy(), np.inf)
        history[chunk] = queries.histories.lengths
        history_in_domain[chunk] = queries.histories.lengths_in(queries.domains)
        del scores, block  # or the next would be made in fresh memory, which costs as much as the product
    return Rankings(rows, users, ranks, by, coverage.counts(), len(items))


def positions_in(items: Array, wanted: Array) -> tuple[Array, Array]:
    """Where in the ascending `items` each wanted one stands, and whether it is there at all."""
    positions = np.minimum(np.searchsorted(items, wanted), len(items) - 1)
    return positions, items[positions] == wanted


def _leave_out(scores: Tensor, items: Array, histories: Histories, wanted: Array) -> None:
    """Set the scores of the items that each history holds to -inf, but not that of the wanted one (n,)."""
    columns, inside = positions_in(items, histories.items)
    inside &= histories.items != np.repeat(wanted, histories.lengths)
    rows = np.repeat(np.arange(len(histories)), histories.lengths)
    scores[torch.from_numpy(rows[inside]), torch.from_numpy(columns[inside])] = -torch.inf


def _keep(scores: Tensor, items: Array, candidates: Array, lengths: Array) -> None:
    """Set all scores to -inf but those of the candidates, `lengths` (n,) of them for one query after the other."""
    rows = torch.from_numpy(np.repeat(np.arange(len(scores)), lengths))
    columns = torch.from_numpy(np.searchsorted(items, candidates))
    kept = scores[rows, columns]
    scores.fill_(-torch.inf)
    scores[rows, columns] = kept


def _ranks(scores: Tensor, own: Tensor) -> Tensor:
    """How many scores are above a row's own (n, 1), which is one of them, and half of the others that equal it."""
    # Whole numbers up to 2^24 are exact in fp32 too, which is summed in a fraction of the time.
    counting = torch.float32 if scores.shape[1] <= 1 << 24 else torch.float64
    above_less_below = (scores - own).sign_().sum(dim=1, dtype=counting)
    return (above_less_below.double() + scores.shape[1] - 1) / 2
