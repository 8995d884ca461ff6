"""The features of queries and of candidates as bags of table rows, read from a prepared dataset."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries, ranges
from adi.data.manifest import NULL_ROW, FeatureInfo

DOMAIN = "domain"
"""The domain indicator, a feature of both towers beside those of the schema."""


@dataclass(frozen=True)
class ArrayBags:
    """What `adi.batch.Bags` holds, before it is tensors: int64 `values` (T,), and `offsets` (R + 1,) or None."""

    values: Array
    offsets: Array | None = None


FeatureArrays = dict[str, ArrayBags]
"""The bags of each feature of a side, in the order of the features."""


class FeatureReader:
    """Looks features up by user, item and domain.

    reader = FeatureReader(dataset)
    reader.user_bags(queries)             # the user tower's input, (B) samples
    reader.item_bags(items, domains)      # the item tower's input, (N) candidates
    """

    def __init__(self, dataset: Dataset) -> None:
        manifest = dataset.manifest
        self.user_features = manifest.side("user", "context")
        self.item_features = manifest.side("item")
        self._arrays = {
            (side, name): dataset.feature(side, name) for side in _SIDES for name in _files(manifest.side(side))
        }
        # Own-domain behaviours are looked for further back than the newest of all domains.
        self.lookback = max((f.length * (4 if f.same_domain else 1) for f in self.user_features if f.length), default=0)

    def user_bags(self, queries: Queries) -> FeatureArrays:
        """Bags of every user and context feature, then of the domain indicator."""
        histories = queries.histories.last(self.lookback)  # no further back than training looks
        bags = {}
        for feature in self.user_features:
            if feature.kind == "behaviours":
                own = queries.domains if feature.same_domain else None
                items, offsets = histories.newest(feature.length or 0, own)
                bags[feature.name] = _bags(self._arrays["item", str(feature.embedded_by)][items], offsets)
            elif feature.side == "context":
                bags[feature.name] = _bags(queries.context[feature.name])
            else:
                bags[feature.name] = self._look_up("user", feature, queries.users, queries.domains)
        bags[DOMAIN] = _bags(queries.domains)
        return bags

    def item_bags(self, items: Array, domains: Array) -> FeatureArrays:
        """Bags of every item feature of `items` (N,) in `domains` (N,), then of the domain indicator."""
        bags = {feature.name: self._look_up("item", feature, items, domains) for feature in self.item_features}
        bags[DOMAIN] = _bags(domains)
        return bags

    def _look_up(
        self, side: Literal["user", "item"], feature: FeatureInfo, entities: Array, domains: Array
    ) -> ArrayBags:
        """Codes of entities; an unknown one (-1) has every feature missing."""
        known = np.maximum(entities, 0)
        if feature.kind == "multi":
            offsets = self._arrays[side, f"{feature.name}.offsets"]
            stop = np.where(entities < 0, offsets[known], offsets[known + 1])
            positions, cuts = ranges(offsets[known], stop)
            return _bags(self._arrays[side, f"{feature.name}.values"][positions], cuts)
        array = self._arrays[side, feature.name]
        codes = array[known, domains] if feature.by_domain else array[known]
        return _bags(np.where(entities < 0, NULL_ROW, codes))


_SIDES: tuple[Literal["user", "item"], ...] = ("user", "item")


def _files(features: tuple[FeatureInfo, ...]) -> list[str]:
    names = [feature.name for feature in features if feature.kind not in ("multi", "behaviours")]
    return names + [f"{f.name}.{part}" for f in features if f.kind == "multi" for part in ("values", "offsets")]


def _bags(values: Array, offsets: Array | None = None) -> ArrayBags:
    cuts = None if offsets is None else np.ascontiguousarray(offsets, dtype=np.int64)
    return ArrayBags(np.ascontiguousarray(values, dtype=np.int64), cuts)
