"""Known items taken for unknown at random, so that an item without training rows gets a trained embedding."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adi.data.manifest import FIRST_VALUE_ROW, UNSEEN_ROW, FeatureInfo
from adi.features.bags import FeatureArrays


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
