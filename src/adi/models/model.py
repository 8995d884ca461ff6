"""Model definitions: everything that adi needs to train, tune, evaluate, export and serve a model.

A `TrainedModel` is a two-tower network trained by gradient descent. A `FittedModel`, such as item-kNN, is computed
from the training rows in one go. `adi.models.catalog.MODELS` lists the built-in models. Define your own in the same
way, in a file of your own (docs/extending.md):

    MINE = TrainedModel(name="mine", summary="...", settings=TowerSettings, backbone=MyBackbone)

    adi.train(prepared, MINE, out)             # or: adi train PREPARED --model my_module:MINE --out RUN
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from adi.data.dataset import Dataset
from adi.data.manifest import TrendSizes
from adi.losses import Loss, sampled_softmax
from adi.models.encoders import ENCODERS, EncoderFactory
from adi.models.scorer import Scorer
from adi.models.settings import TOWER_SEARCH, TowerSettings
from adi.models.similarity import item_neighbours, smoothed_feature
from adi.models.tower import Backbone, Feature
from adi.models.two_tower import SharedTowers, TwoTower
from adi.nn.embedding import Neighbours
from adi.nn.embedding_sets import EmbeddingSets
from adi.strict import Strict

Search = Mapping[str, Mapping[str, Any]]
"""The default search space of `adi tune`: the values of each setting, in the form of `adi.tuning.space`."""

Adjust = Callable[[Any, Sequence[Feature], Sequence[Feature]], tuple[Any, tuple[str, ...]]]


def _accept(dataset: Dataset, settings: Any) -> None:
    """Check nothing: the model can be fitted to any dataset."""


def _unchanged(settings: Any, user: Sequence[Feature], item: Sequence[Feature]) -> tuple[Any, tuple[str, ...]]:
    """Adjust nothing: the settings suit any features."""
    return settings, ()


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A model that is computed from the training rows in one go, without gradient descent.

    Args:
        name: its name in commands, runs and reports.
        summary: one line for `adi models`.
        settings: the class of its settings.
        fit: builds the scorer from a dataset and settings.
        check: raises `AdiError` for a dataset that it cannot be fitted to; must be quick.
        defaults: settings that differ from the defaults of the class.
        search: the default search space of `adi tune`.
    """

    trained: ClassVar[bool] = False

    name: str
    summary: str
    settings: type[Strict]
    fit: Callable[[Dataset, Any], Scorer]
    check: Callable[[Dataset, Any], None] = _accept
    defaults: Mapping[str, Any] = field(default_factory=dict)
    search: Search = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A two-tower model that is trained by gradient descent.

    Args:
        name: its name in commands, runs and reports.
        summary: one line for `adi models`.
        settings: the class of its settings, `TowerSettings` or a subclass.
        backbone: builds the network of a tower from (F, D, settings), for one embedding set: a module that maps
            embedded features x (R, F, E), the embedding of each row's domain f_domain (R, E) and D + 1 offsets to
            vectors (R, settings.dim).
        towers: the class that joins the two towers; by default, all domains share one pair.
        loss: the loss of a domain's samples against its candidates, see `adi.losses.Loss`.
        encoders: history encoders, by value of the setting `behaviours`.
        defaults: settings of the model or of training that differ from the defaults of their classes.
        search: the default search space of `adi tune`, besides the settings of training.
        adjust: adapts the settings to the features of the user and the item tower, and returns them with notes for the
            user on what it changed.
    """

    trained: ClassVar[bool] = True

    name: str
    summary: str
    settings: type[TowerSettings]
    backbone: Callable[[int, int, Any], nn.Module]
    towers: type[TwoTower] = SharedTowers
    loss: Loss = sampled_softmax
    encoders: Mapping[str, EncoderFactory] = field(default_factory=lambda: ENCODERS)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    search: Search = field(default_factory=lambda: TOWER_SEARCH)
    adjust: Adjust = _unchanged

    def notes(self, dataset: Dataset, settings: Any) -> tuple[str, ...]:
        """Notes on settings that `build` changes because of the features of the dataset."""
        manifest = dataset.manifest
        return self.adjust(settings, manifest.side("user", "context"), manifest.side("item"))[1]

    def build(self, dataset: Dataset, settings: Any) -> TwoTower:
        """Build the network with fresh weights for the features of a dataset.

        Raises `AdiError` for settings that need a feature which the dataset does not have.
        """
        neighbours = None
        if settings.neighbours:
            neighbours = item_neighbours(dataset, settings.neighbours, by_domain=self.towers.tables_by_domain)
        return self._build(dataset, settings, neighbours)

    def rebuild(self, dataset: Dataset, settings: Any, weights: Mapping[str, Tensor]) -> TwoTower:
        """Build the network with saved weights, for a dataset in the coding of the training data."""
        neighbours = None
        if settings.neighbours:  # of the right shape: those of the training are among the weights
            saved = weights["tables.neighbours"], weights["tables.neighbour_weights"]
            table = smoothed_feature(dataset, settings.neighbours).name
            neighbours = Neighbours(table, torch.zeros_like(saved[0]), saved[1])
        towers = self._build(dataset, settings, neighbours)
        towers.load_state_dict(weights)
        return towers

    def _build(self, dataset: Dataset, settings: Any, neighbours: Neighbours | None) -> TwoTower:
        manifest = dataset.manifest
        return self.build_towers(
            manifest.side("user", "context"),
            manifest.side("item"),
            len(dataset.coding.domains),
            settings,
            neighbours,
            trend_sizes=manifest.trend.sizes if manifest.trend else None,
        )

    def build_towers(
        self,
        user_features: Sequence[Feature],
        item_features: Sequence[Feature],
        num_domains: int,
        settings: Any,
        neighbours: Neighbours | None = None,
        *,
        trend_sizes: TrendSizes | None = None,
    ) -> TwoTower:
        """Build the network with fresh weights for any features, without a dataset."""
        settings, _ = self.adjust(settings, user_features, item_features)
        return self.towers(
            user_features=user_features,
            item_features=item_features,
            num_domains=num_domains,
            backbone=self._backbone(settings),
            encoders=self.encoders,
            settings=settings,
            neighbours=neighbours,
            trend_sizes=trend_sizes,
        )

    def count_parameters(self, dataset: Dataset, settings: Any) -> tuple[int, int]:
        """Count the parameters of the networks of both towers, and those of the embedding tables.

        Allocates no memory for them. Raises `AdiError` as `build` does.
        """
        with torch.device("meta"):
            towers = self.build(dataset, settings)
        tables = towers.tables.num_rows * towers.tables.embedding_dim
        return sum(parameter.numel() for parameter in towers.parameters()) - tables, tables

    def _backbone(self, settings: Any) -> Backbone:
        """One network per embedding set, each with its slice of the embeddings and of the vector."""
        if settings.num_sets == 1:
            return lambda num_features, num_domains: self.backbone(num_features, num_domains, settings)
        return lambda num_features, num_domains: EmbeddingSets(
            [self.backbone(num_features, num_domains, settings) for _ in range(settings.num_sets)]
        )


Model = FittedModel | TrainedModel
