"""Context features of a single request: from the values that are known at that moment to their codes."""

from collections.abc import Mapping

import numpy as np

from adi.data.arrays import Array
from adi.data.codes import bucket, hash_one
from adi.data.dataset import Dataset
from adi.data.manifest import NULL_ROW, UNSEEN_ROW, FeatureInfo
from adi.errors import AdiError, suggestion


def context_codes(dataset: Dataset, values: Mapping[str, str]) -> dict[str, Array]:
    """One code (1,) for each context feature of the dataset; those not in `values` are missing.

    Raises `AdiError` for a name that is no context feature, and for a numeric value that is no number.
    """
    features = {feature.name: feature for feature in dataset.manifest.side("context")}
    for name in values:
        if name not in features:
            raise AdiError(
                f"context '{name}' is not a context feature ({', '.join(features) or 'there are none'})."
                f"{suggestion(name, features)}"
            )
    return {name: np.asarray([_code(dataset, feature, values.get(name))]) for name, feature in features.items()}


def _code(dataset: Dataset, feature: FeatureInfo, value: str | None) -> int:
    if not value:  # an empty text is a missing value in the log, too
        return NULL_ROW
    if feature.edges is not None:
        try:
            return int(bucket(feature.edges)(np.asarray([float(value)]))[0])
        except ValueError:
            raise AdiError(f"context '{feature.name}': '{value}' is not a number.") from None
    if feature.hash_size is not None:
        return hash_one(value, feature.hash_size)
    vocabulary = dataset.vocabulary(feature.name)
    place = vocabulary["value"].index(value).as_py()
    return UNSEEN_ROW if place < 0 else int(vocabulary["code"][place].as_py())
