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

from adi.data.blend import FOLLOWS, REPEATS, SIMILAR, Blend, BlendWeights, Fields, Kind, Similarity
from adi.data.dataset import Dataset
from adi.durations import OFF, DurationOrOff
from adi.errors import AdiError
from adi.models.blend import counted_blend, similarity_for
from adi.models.scorer import ScorerByDomain
from adi.training.blend_rows import BlendRows, blend_rows

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


class FittedBlend(NamedTuple):
    """The similarity of a blend, and the weights of each domain.

    `halves` tell what such a blend is worth on rows that had no say in it: the first has weights for users of even
    numbers, chosen on the validation rows of the others, and the second the reverse.
    """

    similarity: Similarity
    weights: dict[str, BlendWeights]
    halves: tuple[Blend, Blend]


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
    similarity = similarity_for(dataset) if "similar" in kinds else "none"
    pairs = [fields for name, fields in KINDS.items() if name in kinds]
    scopes = slice(1, 2) if by_domain else slice(2)  # of the fields: all domains, this domain
    counted = BlendWeights(0.0, 0.0)._replace(**{name: 1.0 for fields in pairs for name in fields[scopes]})
    domains = range(len(dataset.domains))
    blend = counted_blend(dataset, similarity, dict.fromkeys(domains, counted), half_life)
    rows = [blend_rows(scorer, dataset, domain, blend, k) for domain in domains]

    def chosen(rows: Sequence[BlendRows]) -> dict[int, BlendWeights]:
        return dict(enumerate(_chosen(rows, pairs, k, temperature, by_domain=by_domain)))

    even, odd = (
        Blend(blend.similar, blend.followers, chosen([part.where(part.users % 2 != remainder) for part in rows]))
        for remainder in (0, 1)
    )
    return FittedBlend(similarity, dict(zip(dataset.domains, chosen(rows).values(), strict=True)), (even, odd))


def _chosen(
    rows: Sequence[BlendRows], pairs: Sequence[Fields], k: int, scale: float, *, by_domain: bool
) -> list[BlendWeights]:
    """The weights of each domain, chosen on its rows and, unless `by_domain`, on all together; in units of `scale`."""
    grid = [(scale * everywhere, scale * here) for everywhere, here in (GRID_BY_DOMAIN if by_domain else GRID)]
    shared_rows = 0 if by_domain else SHARED_ROWS
    counts = np.array([len(of_domain.users) for of_domain in rows])
    chosen = [BlendWeights(0.0, 0.0)] * len(rows)
    for fields in pairs:
        candidates = [[weights._replace(**dict(zip(fields, pair, strict=True))) for pair in grid] for weights in chosen]
        ndcg = [part.ndcg(of_domain, k) for part, of_domain in zip(rows, candidates, strict=True)]
        shared = (counts @ np.stack(ndcg)) / max(counts.sum(), 1)
        chosen = [
            of_domain[int(np.argmax(count * own + shared_rows * shared))]
            for of_domain, count, own in zip(candidates, counts, ndcg, strict=True)
        ]
    return chosen
