"""Known items taken for unknown at random, so that an item without training rows gets a trained embedding."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adi.data.dataset import Dataset
from adi.data.manifest import FIRST_VALUE_ROW, UNSEEN_ROW, FeatureInfo
from adi.features.bags import FeatureArrays
from adi.training.settings import TrainingSettings

DEFAULT_SHARE = 0.1
"""The share with trends, which can recommend an item without training rows."""


def unknown_share(settings: TrainingSettings, dataset: Dataset) -> float:
    """The share of known items that a training takes for unknown."""
    if settings.unknown_items is not None:
        return settings.unknown_items
    return DEFAULT_SHARE if dataset.manifest.trend is not None else 0.0


def with_unknown_items(
    bags: FeatureArrays, features: Sequence[FeatureInfo], share: float, rng: np.random.Generator
) -> FeatureArrays:
    """The bags of a tower, with a random `share` of its item ids replaced by the row of an unknown one.

    Item ids are the values of the items' own id, and of behaviours.
    """
    replaced = dict(bags)
    for feature in features:
        if feature.kind == "behaviours" or (feature.kind == "id" and feature.side == "item"):
            values = bags[feature.name].values
            unknown = (rng.random(len(values)) < share) & (values >= FIRST_VALUE_ROW)
            replaced[feature.name] = replace(bags[feature.name], values=np.where(unknown, UNSEEN_ROW, values))
    return replaced
