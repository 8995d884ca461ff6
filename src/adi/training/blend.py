"""The blend of a run, chosen on validation rows after training (`adi.data.blend`).

A step of training never sees the added scores: similarities are counted from the very rows that it learns from, and
would be trusted too much. Each domain gets the weights of the highest NDCG@k of the validation rows, as for the best
epoch, where its own rows count together with `SHARED_ROWS` rows of all domains. Of equals, the smallest are chosen.
The weights of repeats are chosen first, with these those of followers, and with both those of similar items.
A model that shares nothing between domains gets a blend that does not either: a domain's rows alone count and choose.

The likelihood of these rows would be a smoother criterion, and was worse: it depends most on the rows whose items have
few training rows or none, which no weights can rank high.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from adi.columns import columns_of
from adi.data.arrays import Array
from adi.data.blend import FOLLOWS, REPEATS, SIMILAR, Blend, BlendWeights, Fields, Kind, Similarity
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.durations import OFF, DurationOrOff
from adi.errors import AdiError
from adi.evaluation.evaluate import spread
from adi.models.blend import counted_blend, similarity_for
from adi.models.scorer import ScorerByDomain

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 1000.0)
"""The weights to choose from, in units of the temperature; with the last, the model decides between equals alone."""

GRID = tuple(sorted({(weight, here) for weight in WEIGHTS for here in (0.0, weight)}))
"""Pairs of weights that are chosen together: of what is counted in all domains, and in this domain alone."""

GRID_BY_DOMAIN = tuple((0.0, weight) for weight in WEIGHTS)
"""The pairs for a model that shares nothing between domains."""

KINDS: dict[Kind, Fields] = {"repeats": REPEATS, "follows": FOLLOWS, "similar": SIMILAR}
"""The weights of each kind of added scores, in the order in which they are chosen."""

SHARED_ROWS = 1000
"""The rows of all domains that the choice of a domain's weights is based on beside its own."""

ROWS = 1000
"""The largest number of validation rows of a domain."""

SCORES = 1 << 25
"""The largest number of scores of a domain's rows, which are in memory together."""


class FittedBlend(NamedTuple):
    """The similarity of a blend, and the weights of each domain.

    `halves` tell what such a blend is worth on rows that had no say in it: the first has weights for users of even
    numbers, chosen on the validation rows of the others, and the second the reverse.
    """

    similarity: Similarity
    weights: dict[str, BlendWeights]
    halves: tuple[Blend, Blend]


class _Rows(NamedTuple):
    """Validation rows of a domain: users (n,), histories, scores of the model for `items` (n, m), and each target's
    column (n,)."""

    domain: int
    users: Array
    histories: Histories
    items: Array
    scores: Tensor
    targets: Tensor

    def where(self, kept: Array) -> "_Rows":
        """Those of a mask (n,)."""
        mask = torch.from_numpy(kept)
        return self._replace(
            users=self.users[kept],
            histories=self.histories.where(kept),
            scores=self.scores[mask],
            targets=self.targets[mask],
        )

    def ndcg(self, blend: Blend, candidates: Sequence[BlendWeights], k: int, scale: float) -> Array:
        """The mean NDCG@k with each of the candidates for the weights, multiplied by `scale` (G,); 0 without rows."""
        if not len(self.users):
            return np.zeros(len(candidates))
        pairs = blend.values(self.domain, self.histories, self.items)
        rows, columns, values = (torch.from_numpy(array) for array in (pairs.rows, pairs.columns, pairs.values))
        means = []
        for weights in candidates:
            added = scale * (values @ torch.tensor(weights))
            means.append(self._ndcg_of(self.scores.index_put((rows, columns), added, accumulate=True), k))
        return np.array(means)

    def _ndcg_of(self, scores: Tensor, k: int) -> float:
        of_target = scores.gather(1, self.targets[:, None])
        before = (scores > of_target).sum(dim=1) + ((scores == of_target).sum(dim=1) - 1) / 2
        return float(torch.where(before < k, 1 / torch.log2(before.double() + 2), 0.0).mean())


def check_kinds(dataset: Dataset, kinds: Collection[Kind]) -> None:
    """Raise `AdiError` for kinds of added scores that the dataset does not allow."""
    manifest = dataset.manifest
    if kinds and manifest.trend is not None:
        raise AdiError(
            "training.blend: data with trends has co-clicks in place of a blend. Leave the setting out, or trend."
        )
    if "repeats" in kinds and not manifest.repeats:
        raise AdiError(
            "training.blend: repeats: lists leave out the items of the history, since the schema does not say repeats: "
            "true. Leave the kind out, or change the schema and prepare again."
        )
    if "follows" in kinds and manifest.time is None:
        raise AdiError("training.blend: follows: the log has no time, so that its rows have no order. Leave it out.")


def fit_blend(
    scorer: ScorerByDomain,
    dataset: Dataset,
    temperature: float,
    k: int,
    kinds: Collection[Kind],
    half_life: DurationOrOff = OFF,
    *,
    by_domain: bool = False,
) -> FittedBlend:
    """The blend for a scorer trained with a temperature on the training rows of a dataset.

    It has the added scores of some kinds, with a half-life for what follows; with `by_domain`, nothing in it is shared
    between domains. Without a validation row that a list can have, all weights are 0.
    """
    rows = [_rows_of(scorer, dataset, domain) for domain in range(len(dataset.domains))]
    similarity = similarity_for(dataset) if "similar" in kinds else "none"
    pairs = [fields for name, fields in KINDS.items() if name in kinds]
    scopes = slice(1, 2) if by_domain else slice(2)  # of the fields: all domains, this domain
    counted = BlendWeights(0.0, 0.0)._replace(**{name: 1.0 for fields in pairs for name in fields[scopes]})
    blend = counted_blend(dataset, similarity, dict.fromkeys(range(len(rows)), counted), half_life)

    def chosen(rows: Sequence[_Rows]) -> dict[int, BlendWeights]:
        weights = _chosen(rows, blend, pairs, k, temperature, by_domain=by_domain)
        return {number: BlendWeights(*(temperature * weight for weight in of)) for number, of in enumerate(weights)}

    even, odd = (
        Blend(blend.similar, blend.followers, chosen([part.where(part.users % 2 != remainder) for part in rows]))
        for remainder in (0, 1)
    )
    return FittedBlend(similarity, dict(zip(dataset.domains, chosen(rows).values(), strict=True)), (even, odd))


def _chosen(
    rows: Sequence[_Rows], blend: Blend, pairs: Sequence[Fields], k: int, scale: float, *, by_domain: bool
) -> list[BlendWeights]:
    """The weights of each domain, without their scale, chosen on its rows and, unless `by_domain`, on all together."""
    grid, shared_rows = (GRID_BY_DOMAIN, 0) if by_domain else (GRID, SHARED_ROWS)
    counts = np.array([len(of_domain.users) for of_domain in rows])
    chosen = [BlendWeights(0.0, 0.0)] * len(rows)
    for fields in pairs:
        candidates = [[weights._replace(**dict(zip(fields, pair, strict=True))) for pair in grid] for weights in chosen]
        ndcg = [part.ndcg(blend, of_domain, k, scale) for part, of_domain in zip(rows, candidates, strict=True)]
        shared = (counts @ np.stack(ndcg)) / max(counts.sum(), 1)
        chosen = [
            of_domain[int(np.argmax(count * own + shared_rows * shared))]
            for of_domain, count, own in zip(candidates, counts, ndcg, strict=True)
        ]
    return chosen


def _rows_of(scorer: ScorerByDomain, dataset: Dataset, domain: int) -> _Rows:
    """The validation rows of a domain whose items are not left out of its lists."""
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
    queries, targets = dataset.queries("validation", rows), dataset.targets("validation", rows)[1]
    scores = scorer.against(domain, items)(queries).clone() if len(rows) else torch.empty(0, len(items))
    if not dataset.manifest.repeats:
        seen = columns_of(queries.histories.items, items)
        of_seen = np.repeat(np.arange(len(rows)), queries.histories.lengths)
        scores[torch.from_numpy(of_seen[seen >= 0]), torch.from_numpy(seen[seen >= 0])] = -torch.inf
    columns = torch.from_numpy(np.searchsorted(items, targets))
    return _Rows(domain, queries.users, queries.histories, items, scores, columns)
