"""The models that are compared on each data set: adi's by default, and what a user would take without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from adi.data.manifest import Manifest
from adi.grid.cells import Cell
from adi.models.catalog import model_of
from adi.training.settings import as_config, settings_for

DEFAULT = "adi-se"
"""The model whose defaults are in question."""


@dataclass(frozen=True)
class Row:
    """A model with settings.

    `most_items` is the size of a data set above which it is left out, with the `reason`. It is there only for data sets
    that have what it `needs`: items that repeat, time, or trends.
    """

    name: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    most_items: int | None = None
    reason: str = ""
    needs: Literal["repeats", "time", "trends"] | None = None

    def cells(self, dataset: str, seeds: int, overrides: Mapping[str, Any]) -> list[Cell]:
        """The cells of the row on a data set, one for each seed where the model has any."""
        model = model_of(self.model)
        config = as_config(settings_for(model, {**self.settings, **(overrides if model.trained else {})}))
        return [Cell(dataset, self.name, seed, self.model, config) for seed in range(seeds if model.trained else 1)]


BASELINES = (
    Row("popularity", "popularity"),
    Row("popularity-30m", "popularity", {"half_life": "30m"}, needs="trends"),
    Row("co-clicks", "co-clicks", needs="trends"),
    Row("personal-popularity", "personal-popularity", {"scope": "all"}, needs="repeats"),
    Row("personal-popularity-domain", "personal-popularity", {"scope": "domain"}, needs="repeats"),
    Row("sequential-rules", "sequential-rules", {"scope": "all"}, needs="time"),
    Row("sequential-rules-domain", "sequential-rules", {"scope": "domain"}, needs="time"),
    Row("item-knn", "item-knn", {"scope": "all"}),
    Row("item-knn-domain", "item-knn", {"scope": "domain"}),
    Row("user-knn", "user-knn"),
    Row("ease", "ease", most_items=20_000, reason="a weight for each pair of items"),
    Row("lightgcn", "lightgcn", {"blend": False}),
)
ROWS = (*BASELINES, Row("dnn", "dnn"), Row(DEFAULT, DEFAULT))


def rows_for(manifest: Manifest, rows: Sequence[Row] = ROWS) -> list[Row]:
    """The rows of a data set: without those that it is too large for, and those that need what it does not have."""
    left = left_out(manifest.items)
    has = {
        None: True,
        "repeats": manifest.repeats,
        "time": manifest.time is not None,
        "trends": manifest.trend is not None,
    }
    return [row for row in rows if row not in left and has[row.needs]]


def left_out(items: int) -> list[Row]:
    """The rows that a data set of so many items is too large for."""
    return [row for row in ROWS if row.most_items is not None and items > row.most_items]
