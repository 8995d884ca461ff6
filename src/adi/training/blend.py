"""The weights of a blend, fitted on validation rows after training (`adi.data.blend`).

A step of training never sees the added scores: they are counted from the very rows that it learns from, and would be
trusted too much. The weights maximise the log-likelihood of the validation rows, the softmax over the corpus of

    a model(v) + b_all log(1 + 10 s_all(v)) + b_here log(1 + 10 s_here(v)),    all weights 0 or more

first over all domains, then for each domain with a penalty on its distance from these. What is added to the model's
score is then ``b / a``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional

from adi.columns import columns_of
from adi.data.arrays import Array
from adi.data.blend import Blend, BlendWeights
from adi.data.dataset import Dataset
from adi.evaluation.evaluate import spread
from adi.models.blend import counted_blend
from adi.models.scorer import ScorerByDomain

ROWS = 1000
"""The largest number of validation rows of a domain."""

SCORES = 1 << 25
"""The largest number of scores of a domain's rows, which are in memory together."""

PENALTY = 10.0
"""The log-likelihood that a squared distance of 1 from the weights of all domains costs."""

LEAST_SCALE = 0.05
"""The least weight of the model, as a multiple of what training gave it."""

LEFT_OUT = -1e9
"""The score of an item of the history; -inf would have no gradient."""

NEGLIGIBLE = 0.005
"""Weights below this are 0."""


class _Rows(NamedTuple):
    """Validation rows of a domain: scores of the model (n, m), values of pairs (P, 2), and each row's target (n,)."""

    scores: Tensor
    pair_rows: Tensor
    pair_columns: Tensor
    values: Tensor
    targets: Tensor

    def loss(self, weights: Tensor) -> Tensor:
        """The negative log-likelihood of all rows."""
        logits = weights[0] * self.scores
        added = self.values @ weights[1:]
        logits = logits.index_put((self.pair_rows, self.pair_columns), added, accumulate=True)
        return functional.cross_entropy(logits, self.targets, reduction="sum")


def fit_blend(scorer: ScorerByDomain, dataset: Dataset, temperature: float) -> dict[str, BlendWeights]:
    """The weights of each domain, for a scorer trained with a temperature on the training rows of a dataset."""
    blend = counted_blend(dataset, {})
    rows = [_rows_of(scorer, dataset, blend, domain) for domain in range(len(dataset.domains))]
    start = np.array([1.0 / temperature, 0.1, 0.1])
    together = _fitted([of_domain for of_domain in rows if of_domain is not None], start, start, penalty=1.0)
    weights = {}
    for name, of_domain in zip(dataset.domains, rows, strict=True):
        scale, *added = together if of_domain is None else _fitted([of_domain], together, together, penalty=PENALTY)
        weights[name] = BlendWeights(*(_rounded(value / scale) for value in added))
    return weights


def _rows_of(scorer: ScorerByDomain, dataset: Dataset, blend: Blend, domain: int) -> _Rows | None:
    """The validation rows of a domain whose items are not left out of its lists; None if there are none."""
    items = dataset.corpora.retrievable(domain)
    rows = dataset.rows("validation")
    rows = rows[dataset.targets("validation", rows)[2] == domain]
    targets = dataset.targets("validation", rows)[1]
    can_be_listed = np.isin(targets, items)
    if not dataset.manifest.repeats:
        can_be_listed &= dataset.queries("validation", rows).histories.counts_of(targets) == 0
    rows = rows[can_be_listed]
    most = min(ROWS, max(SCORES // max(len(items), 1), 1))
    if len(rows) > most:
        rows = spread(rows, most)
    if not len(rows):
        return None
    queries, targets = dataset.queries("validation", rows), dataset.targets("validation", rows)[1]
    scores = scorer.against(domain, items)(queries).clone()
    if not dataset.manifest.repeats:
        seen = columns_of(queries.histories.items, items)
        of_seen = np.repeat(np.arange(len(rows)), queries.histories.lengths)
        scores[torch.from_numpy(of_seen[seen >= 0]), torch.from_numpy(seen[seen >= 0])] = LEFT_OUT
    columns = np.searchsorted(items, targets)
    pairs = blend.values(domain, queries.histories, items)
    numbers = (torch.from_numpy(array) for array in (pairs.rows, pairs.columns, pairs.values, columns))
    return _Rows(scores, *numbers)


def _fitted(rows: Sequence[_Rows], start: Array, towards: Array, *, penalty: float) -> Array:
    """The weights with the least loss over rows plus the penalty on their squared distance from `towards`."""

    def loss(values: Array) -> tuple[float, Array]:
        weights = torch.tensor(values, dtype=torch.float32, requires_grad=True)
        distance = weights - torch.tensor(towards, dtype=torch.float32)
        total = sum((part.loss(weights) for part in rows), start=penalty * (distance**2).sum())
        total.backward()  # type: ignore[no-untyped-call]
        assert weights.grad is not None
        return float(total.detach()), weights.grad.numpy().astype(np.float64)

    bounds = [(LEAST_SCALE * start[0], None), (0.0, None), (0.0, None)]
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 50})
    weights: Array = result.x
    return weights


def _rounded(weight: float) -> float:
    return 0.0 if weight < NEGLIGIBLE else round(float(weight), 6)
