"""Features of kind `id`: the user's or item's own id."""

import numpy as np

from adi.data.coding import Codes
from adi.data.dataset import Dataset
from adi.data.manifest import FeatureInfo
from adi.features.encoding import Encoding
from adi.features.kind import Kind, Side, feature_info, write_codes
from adi.schema import IdFeature


class Id(Kind):
    """The code of each entity's id. Ids are counted in the training rows, so that one that is not there is unseen."""

    def encode(self, feature: IdFeature, side: Side) -> FeatureInfo:
        encoding = self.fit(feature, side.training_ids, "", side.vocabularies)
        write_codes(side, feature.name, encoding.encode_table(side.ids), by_domain=False)
        return feature_info(feature, side.name, encoding)

    def recoded(self, feature: FeatureInfo, encoding: Encoding, dataset: Dataset, name: str) -> Codes:
        """The codes of all entities' ids: those without a training row in `dataset` have one in the other encoding."""
        ids = dataset.users if feature.side == "user" else dataset.items
        return encoding.encode_column(ids.keys).astype(np.int32)
