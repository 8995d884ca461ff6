"""The context of clicks as codes of the bundle's context features."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from adi.data.dataset import Dataset
from adi.data.manifest import NULL_ROW, FeatureInfo
from adi.features.reader import context_code
from adi.serving.events import Context

CODES_KEPT = 1 << 16


class ClickContext:
    """Reads the context of clicks. What a feature lacks or cannot read is missing; other names are ignored.

    Args:
        features: the context features to read.

    Attributes:
        unread: by feature, the number of values that are no numbers where one is needed.
    """

    def __init__(self, dataset: Dataset, features: Sequence[FeatureInfo]) -> None:
        self.features, self.unread = features, Counter[str]()
        self._code = lru_cache(CODES_KEPT)(lambda number, value: context_code(dataset, features[number], value))

    def codes(self, context: Context) -> tuple[int, ...]:
        """The code of each feature."""
        return tuple(self._read(number, context.get(feature.name)) for number, feature in enumerate(self.features))

    def _read(self, number: int, value: str | None) -> int:
        try:
            code: int = self._code(number, value)
        except ValueError:
            self.unread[self.features[number].name] += 1
            return NULL_ROW
        return code
