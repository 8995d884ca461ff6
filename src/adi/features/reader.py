"""The features of queries and of candidates as bags of codes, read from a prepared dataset."""

from collections.abc import Mapping

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.manifest import NULL_ROW, FeatureInfo
from adi.data.queries import Queries
from adi.errors import AdiError, suggestion
from adi.features.bags import FeatureArrays, as_bags
from adi.features.behaviours import lookback
from adi.features.kinds import KINDS

DOMAIN = "domain"
"""The domain indicator, a feature of both towers beside those of the schema."""


class FeatureReader:
    """Looks up features by user, item and domain.

    reader = FeatureReader(dataset)
    reader.user_bags(queries)             # the user tower's input, (B) samples
    reader.item_bags(items, domains)      # the item tower's input, (N) candidates
    """

    def __init__(self, dataset: Dataset) -> None:
        manifest = dataset.manifest
        self.user_features = manifest.side("user", "context")
        self.item_features = manifest.side("item")
        stored = manifest.side("user", "item")
        self._readers = {feature.name: KINDS[feature.kind].reader(feature, dataset) for feature in stored}
        self.lookback = lookback(self.user_features)
        self.domain_codes = dataset.domain_codes

    def user_bags(self, queries: Queries) -> FeatureArrays:
        """Bags of every user and context feature, then of the domain indicator."""
        histories = queries.histories.last(self.lookback)  # no further back than training looks
        bags = {
            feature.name: as_bags(queries.context[feature.name])
            if feature.side == "context"
            else self._readers[feature.name](queries.users, queries.domains, histories)
            for feature in self.user_features
        }
        return bags | {DOMAIN: as_bags(self.domain_codes[queries.domains])}

    def item_bags(self, items: Array, domains: Array) -> FeatureArrays:
        """Bags of every item feature of `items` (N,) in `domains` (N,), then of the domain indicator."""
        bags = {feature.name: self._readers[feature.name](items, domains, None) for feature in self.item_features}
        return bags | {DOMAIN: as_bags(self.domain_codes[domains])}


def context_codes(dataset: Dataset, values: Mapping[str, str]) -> dict[str, Array]:
    """The codes (1,) of every context feature for one request; a feature that `values` lacks is missing.

    Raises `AdiError` for a name that is no context feature, and for a text where a number is needed.
    """
    features = {feature.name: feature for feature in dataset.manifest.side("context")}
    for name in values:
        if name not in features:
            raise AdiError(
                f"context '{name}' is not a context feature ({', '.join(features) or 'there are none'})."
                f"{suggestion(name, features)}"
            )
    codes = {}
    for name, feature in features.items():
        value = values.get(name)
        try:
            codes[name] = np.array([context_code(dataset, feature, value)])
        except ValueError:
            raise AdiError(f"context '{name}': '{value}' is not a number.") from None
    return codes


def context_code(dataset: Dataset, feature: FeatureInfo, value: str | None) -> int:
    """The code of a value of a context feature. Raises `ValueError` for a text where a number is needed."""
    if not value:  # an empty text is a missing value in the log, too
        return NULL_ROW
    return KINDS[feature.kind].encoding(feature, dataset.coding).encode_value(value)
