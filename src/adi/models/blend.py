"""A blend counted from the training rows of a dataset, as a run has it."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.sparse as sp

from adi.data.blend import FOLLOWS, SIMILAR, Blend, BlendWeights, ByScope, Fields, ItemNeighbours, Similarity
from adi.data.dataset import Dataset
from adi.durations import OFF, DurationOrOff
from adi.errors import AdiError
from adi.models.ease import item_weights
from adi.models.followers import followers_by_scope
from adi.models.profiles import Scope, fit_by_scope
from adi.models.similarity import ROWS_AT_ONCE, SHRINK, cosine_similarity, largest

NEAREST = 100
"""Neighbours of an item."""

L2, DROPOUT = 30.0, 0.5
"""The regularisation of linear weights: weaker than by default in EASE, whose scores are not added to a model's."""

MOST_LINEAR, MOST_COUNTED_AGAIN = 12_000, 20_000
"""Similarities are linear weights up to so many items with training rows, and these are counted for other rows up to
so many: the time to solve for them grows with the cube."""


def similarity_for(dataset: Dataset) -> Similarity:
    """The similarity of a blend that is fitted to a dataset.

    Linear weights are better than the cosine, most on data of few rows. Validation rows cannot choose between the two:
    what is validated is fitted without these rows, and what is kept is fitted with them.
    """
    return "linear" if _items_with_rows(dataset) <= MOST_LINEAR else "cosine"


def counted_blend(
    dataset: Dataset, similarity: Similarity, weights: Mapping[int, BlendWeights], half_life: DurationOrOff = OFF
) -> Blend:
    """The blend with the weights of each domain: what has a weight in any is counted from a dataset.

    With a half-life, rows count by their age in what follows.

    Raises `AdiError` for linear weights of more items than can be solved for in minutes.
    """
    if similarity == "linear" and (items := _items_with_rows(dataset)) > MOST_COUNTED_AGAIN:
        raise AdiError(
            f"{dataset.folder}: {items:,} items have training rows. The run's blend has linear weights between items, "
            f"which are solved for up to {MOST_COUNTED_AGAIN:,}. Train again on this data."
        )
    count = _linear if similarity == "linear" else _cosine
    return Blend(
        _by_scope(dataset, weights, SIMILAR, lambda scope: fit_by_scope(dataset, scope, count)),
        _by_scope(dataset, weights, FOLLOWS, lambda scope: _followers(dataset, scope, half_life)),
        weights,
    )


def _by_scope(
    dataset: Dataset,
    weights: Mapping[int, BlendWeights],
    fields: Fields,
    counted: Callable[[Scope], Sequence[ItemNeighbours]],
) -> ByScope:
    """Neighbours by the rows of all domains, and by those of each; either only if it has a weight in some domain."""
    in_all, in_one = (any(getattr(of_domain, name) for of_domain in weights.values()) for name in fields)
    everywhere = counted("all")[0] if in_all else ItemNeighbours.none(dataset.manifest.items)
    return ByScope(everywhere, dict(enumerate(counted("domain"))) if in_one else {})


def _followers(dataset: Dataset, scope: Scope, half_life: DurationOrOff) -> list[ItemNeighbours]:
    """The followers of each item with the largest shares, for each domain."""
    shares = followers_by_scope(dataset, scope, half_life=half_life)
    if scope == "all":
        return [ItemNeighbours(largest(shares[0], NEAREST))] * len(shares)
    return [ItemNeighbours(largest(of_domain, NEAREST)) for of_domain in shares]


def _items_with_rows(dataset: Dataset) -> int:
    return len(np.unique(dataset.targets("train", dataset.rows("train"))[1]))


def _cosine(interactions: sp.csr_array) -> ItemNeighbours:
    similarities = cosine_similarity(interactions, shrink=SHRINK, neighbours=NEAREST)
    similarities.eliminate_zeros()
    return ItemNeighbours(similarities)


def _linear(interactions: sp.csr_array) -> ItemNeighbours:
    """The largest weights of each item in the scores of others, as EASE has them; those below 0 are left out."""
    known, weights = item_weights(interactions, L2, DROPOUT)
    blocks = [
        largest(sp.csr_array(np.maximum(weights[first : first + ROWS_AT_ONCE], 0.0)), NEAREST)
        for first in range(0, len(known), ROWS_AT_ONCE)
    ]
    kept = sp.csr_array(sp.vstack(blocks)).tocoo()
    num_items = interactions.shape[1]
    pairs = (known[kept.row], known[kept.col])
    return ItemNeighbours(sp.csr_array(sp.coo_array((kept.data, pairs), shape=(num_items, num_items))))
