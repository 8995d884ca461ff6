"""Features of kind `behaviours`: the user's earlier items, as codes of the item feature of kind `id`.

They have no array and no embedding table of their own: they are read from the history that a query carries.
"""

from collections.abc import Iterable

from adi.data.arrays import Array
from adi.data.coding import Coding
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.manifest import FeatureInfo
from adi.features.bags import ArrayBags, as_bags
from adi.features.encoding import Encoding
from adi.features.kind import Kind, Reader, Side
from adi.schema import BehavioursFeature

SAME_DOMAIN_LOOKBACK = 4
"""The multiple of its length that a feature of one domain looks back, past items of other domains."""


class Behaviours(Kind):
    """The codes of the newest items of a history, oldest first; of the query's own domain alone where it says so."""

    def encode(self, feature: BehavioursFeature, side: Side) -> FeatureInfo:
        return FeatureInfo(
            name=feature.name,
            side="user",
            kind="behaviours",
            rows=0,
            length=feature.length,
            same_domain=feature.domain == "same",
            embedded_by=side.item_id,
        )

    def encoding(self, feature: FeatureInfo, coding: Coding) -> Encoding:
        item_id = next(item for item in coding.manifest.side("item") if item.name == feature.embedded_by)
        return super().encoding(item_id, coding)

    def arrays(self, feature: FeatureInfo) -> tuple[str, ...]:
        return ()

    def reader(self, feature: FeatureInfo, dataset: Dataset) -> Reader:
        item_codes, length = dataset.feature("item", str(feature.embedded_by)), feature.length or 0

        def read(entities: Array, domains: Array, histories: Histories | None) -> ArrayBags:
            if histories is None:
                raise TypeError("behaviours are read from histories, which users have and items do not")
            items, offsets = histories.newest(length, domains if feature.same_domain else None)
            return as_bags(item_codes[items], offsets)

        return read

    def width(self, feature: FeatureInfo, dataset: Dataset) -> int:
        return feature.length or 1


def lookback(features: Iterable[FeatureInfo]) -> int:
    """The number of newest rows of a history that any of the features reads; 0 without behaviours."""
    lengths = ((feature.length or 0, SAME_DOMAIN_LOOKBACK if feature.same_domain else 1) for feature in features)
    return max((length * factor for length, factor in lengths), default=0)
