"""The validation rows of a domain, as the weights of a blend are tried on them.

Of each row, only items that can be among its first k are kept: those with an added score, and the first k of the model
alone. Weights are not negative, so any other item comes after these k.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import torch

from adi.columns import columns_of
from adi.data.arrays import Array
from adi.data.blend import Blend, BlendWeights
from adi.data.dataset import Dataset
from adi.evaluation.evaluate import spread
from adi.models.scorer import Score, ScorerByDomain

ROWS = 4000
"""The largest number of validation rows of a domain."""

KEPT = 1 << 22
"""The number of kept items of a domain's rows after which no more rows are read."""

SCORES = 1 << 24
"""The largest number of scores of a model that are in memory together."""

BLOCKS = 8
"""The least number of blocks in which `ROWS` rows are read; the reading can end after each."""


class BlendRows(NamedTuple):
    """n rows of a domain and their P kept items: those of a row follow one another.

    Attributes:
        users: (n,).
        row_of: the row of each kept item (P,), ascending.
        model: the scores of the model (P,).
        values: what the weights of a blend are for (P, C).
        targets: the position of each row's own item among the P (n,).
    """

    users: Array
    row_of: Array
    model: Array
    values: Array
    targets: Array

    def where(self, chosen: Array) -> Self:
        """The rows of a mask (n,)."""
        kept = chosen[self.row_of]
        return self._replace(
            users=self.users[chosen],
            row_of=(np.cumsum(chosen) - 1)[self.row_of[kept]],
            model=self.model[kept],
            values=self.values[kept],
            targets=(np.cumsum(kept) - 1)[self.targets[chosen]],
        )

    def ndcg(self, candidates: Sequence[BlendWeights], k: int) -> Array:
        """The mean NDCG@k with each of the candidates (G,); 0 without rows."""
        return np.array([self._ndcg_of(weights, k) if len(self.users) else 0.0 for weights in candidates])

    def _ndcg_of(self, weights: BlendWeights, k: int) -> float:
        scores = self.model + self.values @ np.array(weights, dtype=np.float32)
        of_target = scores[self.targets][self.row_of]
        higher, equal = (
            np.bincount(self.row_of[which], minlength=len(self.users))
            for which in (scores > of_target, scores == of_target)
        )
        before = higher + (equal - 1) / 2
        return float(np.where(before < k, 1 / np.log2(before + 2), 0.0).mean())


def blend_rows(scorer: ScorerByDomain, dataset: Dataset, domain: int, blend: Blend, k: int) -> BlendRows:
    """Validation rows of a domain, spread over all whose items are not left out of its lists.

    `blend` has a weight for each kind of values that is wanted.
    """
    items, rows = dataset.corpora.retrievable(domain), _rows_with_lists(dataset, domain)
    parts = [_NONE]
    if len(rows):
        score, most = scorer.against(domain, items), min(ROWS // BLOCKS, max(SCORES // len(items), 1))
        blocks = -(-len(rows) // most)
        for number in range(blocks):  # each is spread over all rows, too
            parts.append(_kept(score, dataset, domain, items, rows[number::blocks], blend, k))
            if sum(len(part.row_of) for part in parts) > KEPT:
                break
    return _joined(parts)


def _rows_with_lists(dataset: Dataset, domain: int) -> Array:
    """The numbers of a domain's validation rows whose items a list can have; `ROWS` of them, if there are more."""
    items, rows = dataset.corpora.retrievable(domain), dataset.rows("validation")
    rows = rows[dataset.targets("validation", rows)[2] == domain]
    targets = dataset.targets("validation", rows)[1]
    can_be_listed = np.isin(targets, items)
    if not dataset.manifest.repeats:
        can_be_listed &= dataset.queries("validation", rows).histories.counts_of(targets) == 0
    rows = rows[can_be_listed]
    return spread(rows, ROWS) if len(rows) > ROWS else rows


def _kept(score: Score, dataset: Dataset, domain: int, items: Array, rows: Array, blend: Blend, k: int) -> BlendRows:
    """Some validation rows with those of `items` (m,) that can be among their first k."""
    queries, targets = dataset.queries("validation", rows), dataset.targets("validation", rows)[1]
    scores, numbers = score(queries).clone(), np.arange(len(rows))
    if not dataset.manifest.repeats:
        seen = columns_of(queries.histories.items, items)
        of_seen = np.repeat(numbers, queries.histories.lengths)
        scores[torch.from_numpy(of_seen[seen >= 0]), torch.from_numpy(seen[seen >= 0])] = -torch.inf
    pairs = blend.values(domain, queries.histories, items)
    last_of_first = scores.topk(min(k, len(items)), dim=1).values[:, -1:]
    # cells of a matrix (n, m)
    first = (scores >= last_of_first).flatten().nonzero()[:, 0].numpy()  # with all that are equal to the last
    with_value, own = pairs.rows * len(items) + pairs.columns, numbers * len(items) + np.searchsorted(items, targets)
    cells = np.unique(np.concatenate([first, with_value, own]))
    values = np.zeros((len(cells), pairs.values.shape[1]), dtype=np.float32)
    values[np.searchsorted(cells, with_value)] = pairs.values
    return BlendRows(
        users=queries.users,
        row_of=cells // len(items),
        model=scores.flatten()[torch.from_numpy(cells)].numpy(),
        values=values,
        targets=np.searchsorted(cells, own),
    )


_INTS, _FLOATS = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
_NONE = BlendRows(_INTS, _INTS, _FLOATS, np.empty((0, len(BlendWeights._fields)), dtype=np.float32), _INTS)


def _joined(parts: Sequence[BlendRows]) -> BlendRows:
    """The rows of several parts, one after the other."""
    rows = np.cumsum([0, *(len(part.users) for part in parts)])
    kept = np.cumsum([0, *(len(part.row_of) for part in parts)])
    moved = [
        part._replace(row_of=part.row_of + rows[number], targets=part.targets + kept[number])
        for number, part in enumerate(parts)
    ]
    return BlendRows(*(np.concatenate(of_parts) for of_parts in zip(*moved, strict=True)))
