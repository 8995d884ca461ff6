"""A blend counted from the training rows of a dataset, as a run has it."""

from collections.abc import Mapping

import scipy.sparse as sp

from adi.data.blend import Blend, BlendWeights, ItemNeighbours
from adi.data.dataset import Dataset
from adi.models.profiles import fit_by_scope
from adi.models.similarity import SHRINK, cosine_similarity

NEAREST = 100
"""Neighbours of an item."""


def counted_blend(dataset: Dataset, weights: Mapping[int, BlendWeights]) -> Blend:
    """The blend with some weights, whose similarities are counted from a dataset."""
    (everywhere, *_) = fit_by_scope(dataset, "all", _neighbours)
    here = fit_by_scope(dataset, "domain", _neighbours)
    return Blend(everywhere, dict(enumerate(here)), weights)


def _neighbours(interactions: sp.csr_array) -> ItemNeighbours:
    similarities = cosine_similarity(interactions, shrink=SHRINK, neighbours=NEAREST)
    similarities.eliminate_zeros()
    return ItemNeighbours(similarities)
