"""Features of kind `id`: the user's or item's own id."""

from adi.data.manifest import FeatureInfo
from adi.features.kind import Kind, Side, feature_info, write_codes
from adi.schema import IdFeature


class Id(Kind):
    """The code of each entity's id. Ids are counted in the training rows, so that one that is not there is unseen."""

    def encode(self, feature: IdFeature, side: Side) -> FeatureInfo:
        encoding = self.fit(feature, side.training_ids, "", side.vocabularies)
        write_codes(side, feature.name, encoding.encode_table(side.ids), by_domain=False)
        return feature_info(feature, side.name, encoding)
