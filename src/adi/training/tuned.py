"""Settings by model in one YAML file, as ``src/adi/reproduce/settings`` has them for each data set.

two_tower     of every two-tower model, so that all have the same size
models        of single models in addition or instead, by name

Settings have bare names, as in ``adi train --set``.
"""

from typing import Any

from adi.models.catalog import model_of
from adi.strict import Strict


class Tuned(Strict):
    """The content of a file of settings by model."""

    two_tower: dict[str, Any]
    models: dict[str, dict[str, Any]]

    def of(self, model: str) -> dict[str, Any]:
        """The settings of a model, by their bare names. Raises `AdiError` for an unknown model."""
        shared = self.two_tower if model_of(model).trained else {}
        return {**shared, **self.models.get(model, {})}
