"""Where each held-out item ranks: exactly, among the whole corpus of its domain or among given candidates."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Part, Queries
from adi.errors import AdiError
from adi.models.scorer import Score, Scorer

LOGITS_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Rankings:
    """n rankings of one domain.

    `ranks` (n,) as in `adi.evaluation.metrics`, `history` (n,) the lengths of the queries' histories, `popularity` (n,)
    the relevant items' training counts in the domain, `shown[k]` how many distinct items the top-k lists hold, `ranked`
    how many items there were to rank.
    """

    ranks: Array
    history: Array
    popularity: Array
    shown: dict[int, int]
    ranked: int


def rank_in_corpus(
    scorer: Scorer, dataset: Dataset, part: Part, domain: int, rows: Array, *, causal: bool, ks: tuple[int, ...]
) -> Rankings:
    """Rank each row's item among all items that can be retrieved in the domain.

    Items of the query's history are left out unless the data has repeats; the relevant item itself never is. An item
    outside the corpus has an infinite rank.
    """
    corpus = dataset.corpora.retrievable(domain)
    score = scorer.against(domain, corpus)
    shown = {k: np.zeros(len(corpus), dtype=bool) for k in ks}
    ranks, lengths = [], []
    for chunk in _chunks(rows, len(corpus)):
        queries = dataset.queries(part, chunk, causal=causal)
        scores = _scores(score, queries)  # (n, m)
        targets, inside = positions_in(corpus, dataset.targets(part, chunk)[1])
        own = scores.gather(1, torch.from_numpy(targets)[:, None])  # (n, 1)
        if not dataset.manifest.repeats:
            seen, rows_of = _seen(queries, corpus)
            scores[rows_of, seen] = -torch.inf
        ranks.append(np.where(inside, _rank(scores, own), np.inf))
        lengths.append(queries.histories.lengths)
        best = scores.topk(min(max(ks), len(corpus)), dim=1)
        for k, mark in shown.items():
            top = best.indices[:, :k][best.values[:, :k] > -torch.inf]
            mark[top.numpy()] = True
    popularity = dataset.corpora.counts_of(domain, dataset.targets(part, rows)[1])
    return Rankings(
        _joined(ranks), _joined(lengths), popularity, {k: int(mark.sum()) for k, mark in shown.items()}, len(corpus)
    )


def rank_in_candidates(
    scorer: Scorer, dataset: Dataset, domain: int, rows: Array, *, causal: bool, ks: tuple[int, ...]
) -> Rankings:
    """Rank each test row's item among the candidates that the split gives for it; all test rows must have some.

    A relevant item that is not among its candidates has an infinite rank.
    """
    given = dataset.candidates(rows)
    if given is None:
        raise AdiError(f"{dataset.folder}: the split gives no candidates (split.candidates in its schema.yaml).")
    items, offsets = given
    pool = np.unique(items)
    score = scorer.against(domain, pool)
    ranks, lengths = [], []
    shown = {k: np.zeros(len(pool), dtype=bool) for k in ks}
    for first in range(0, len(rows), max(1, LOGITS_AT_ONCE // len(pool))):
        chunk = np.arange(first, min(first + max(1, LOGITS_AT_ONCE // len(pool)), len(rows)))
        queries = dataset.queries("test", rows[chunk], causal=causal)
        all_scores = _scores(score, queries)
        sizes = np.diff(offsets)[chunk]
        width = int(sizes.max(initial=1))
        filled = np.arange(width) < sizes[:, None]  # (n, width)
        columns = np.zeros((len(chunk), width), dtype=np.int64)
        columns[filled] = np.searchsorted(pool, items[offsets[chunk[0]] : offsets[chunk[-1] + 1]])
        scores = all_scores.gather(1, torch.from_numpy(columns)).masked_fill(~torch.from_numpy(filled), -torch.inf)
        targets, _ = positions_in(pool, dataset.targets("test", rows[chunk])[1])
        is_target = (
            (columns == targets[:, None]) & filled & (pool[targets] == dataset.targets("test", rows[chunk])[1])[:, None]
        )
        own = all_scores.gather(1, torch.from_numpy(targets)[:, None])
        ranks.append(np.where(is_target.any(axis=1), _rank(scores, own), np.inf))
        lengths.append(queries.histories.lengths)
        order = scores.argsort(dim=1, descending=True)
        for k, mark in shown.items():
            top = torch.from_numpy(columns).gather(1, order[:, :k])[scores.gather(1, order[:, :k]) > -torch.inf]
            mark[top.numpy()] = True
    popularity = dataset.corpora.counts_of(domain, dataset.targets("test", rows)[1])
    return Rankings(
        _joined(ranks), _joined(lengths), popularity, {k: int(mark.sum()) for k, mark in shown.items()}, len(pool)
    )


def positions_in(items: Array, wanted: Array) -> tuple[Array, Array]:
    """Where in the ascending `items` each wanted one stands, and whether it is there at all."""
    positions = np.minimum(np.searchsorted(items, wanted), len(items) - 1)
    return positions, items[positions] == wanted


def _chunks(rows: Array, width: int) -> Iterator[Array]:
    size = max(1, LOGITS_AT_ONCE // width)
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def _scores(score: Score, queries: Queries) -> torch.Tensor:
    scores = score(queries)
    if not torch.isfinite(scores).all():
        raise AdiError("the model's scores are not finite: its training has diverged. Train it with a lower lr.")
    return scores


def _rank(scores: torch.Tensor, own: torch.Tensor) -> Array:
    """How many scores are above a row's own (n, 1), and half of those that equal it beside itself."""
    ahead = (scores > own).sum(dim=1)
    equal = (scores == own).sum(dim=1)
    ranks: Array = (ahead + 0.5 * (equal - 1).clamp(min=0)).double().numpy()
    return ranks


def _seen(queries: Queries, corpus: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Columns and rows of the items that the queries' histories hold."""
    columns, inside = positions_in(corpus, queries.histories.items)
    rows = np.repeat(np.arange(len(queries)), queries.histories.lengths)
    return torch.from_numpy(columns[inside]), torch.from_numpy(rows[inside])


def _joined(parts: list[Array]) -> Array:
    return np.concatenate(parts) if parts else np.empty(0)
