"""Features of kind `id`: the user's or item's own id."""

import numpy as np

from adi.data.coding import Codes
from adi.data.dataset import Dataset
from adi.data.manifest import FeatureInfo
from adi.features.encoding import Encoding
from adi.features.kind import Kind, Side, feature_info, write_codes
from adi.schema import IdFeature


class Id(Kind):
    """The code of each entity's id. Ids are counted in the rows that are not of the test; any other id is unseen.

    Ids that only validation rows have get codes too, for a refit on all rows, and are listed as held out
    (`adi.data.dataset.Dataset.feature`).
    """

    def encode(self, feature: IdFeature, side: Side) -> FeatureInfo:
        encoding = self.fit(side.engine, feature, side.counted_ids, "", side.vocabularies)
        write_codes(side, feature.name, encoding, side.ids, by_domain=False)
        if feature.hash_size is None:
            self._write_held_out(feature, side)
        return feature_info(feature, side.name, encoding)

    def recoded(self, feature: FeatureInfo, encoding: Encoding, dataset: Dataset, name: str) -> Codes:
        """The codes of all entities' ids: those without a training row in `dataset` have one in the other encoding."""
        ids = dataset.users if feature.side == "user" else dataset.items
        return encoding.encode_column(ids.keys).astype(np.int32)

    def _write_held_out(self, feature: IdFeature, side: Side) -> None:
        """Write the entities whose ids the vocabulary has and would not have by the training rows alone."""
        counts = side.counted_ids
        held_out = counts.filter((counts.weight >= feature.min_count) & (counts.trained < feature.min_count))
        if held_out.count().to_pyarrow().as_py():
            entities = held_out.select(**{feature.name: held_out.index})
            side.engine.write_columns(entities, side.held_out_ids, {feature.name: np.int32}, order_by=[feature.name])
