"""A model as a value: everything that adi needs to train, tune, evaluate, export and serve it.

There are two kinds. A `TrainedModel` is a two-tower network that learns by gradient steps; a `FittedModel` is computed
from the training rows at once, as item-kNN is. `adi.models.catalog.MODELS` has those of adi. One of your own is made
in the same way, in a file of yours (docs/extending.md):

    MINE = TrainedModel(name="mine", summary="...", settings=TowerSettings, backbone=MyBackbone)

    adi.train(prepared, MINE, out)             # or: adi train PREPARED --model my_module:MINE --out RUN
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from adi.data.dataset import Dataset
from adi.losses import Loss, sampled_softmax
from adi.models.encoders import ENCODERS, EncoderFactory
from adi.models.scorer import Scorer
from adi.models.settings import TOWER_SEARCH, TowerSettings
from adi.models.similarity import item_neighbours
from adi.models.tower import Backbone, Feature
from adi.models.two_tower import SharedTowers, TwoTower
from adi.nn.embedding import Neighbours
from adi.nn.embedding_sets import EmbeddingSets
from adi.schema import Strict

Search = Mapping[str, Mapping[str, Any]]
"""What `adi tune` tries by default: values for each setting, in the form of `adi.tuning.space`."""

Adjust = Callable[[Any, Sequence[Feature], Sequence[Feature]], tuple[Any, tuple[str, ...]]]


def _fits_any(dataset: Dataset, settings: Any) -> None:
    """The check of a model that can be fitted to any dataset."""


def _as_set(settings: Any, user: Sequence[Feature], item: Sequence[Feature]) -> tuple[Any, tuple[str, ...]]:
    """The adjustment of a model whose settings suit any features."""
    return settings, ()


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A model that is computed from the training rows at once.

    Args:
        name: how commands, runs and reports call it.
        summary: a line for `adi models`.
        settings: the class of its settings.
        fit: makes the scorer from a dataset and settings.
        check: raises `AdiError` for a dataset that it cannot be fitted to; quick.
        defaults: settings that differ from the defaults of the class.
        search: what `adi tune` tries by default.
    """

    trained: ClassVar[bool] = False

    name: str
    summary: str
    settings: type[Strict]
    fit: Callable[[Dataset, Any], Scorer]
    check: Callable[[Dataset, Any], None] = _fits_any
    defaults: Mapping[str, Any] = field(default_factory=dict)
    search: Search = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A two-tower model, which is trained.

    Args:
        name: how commands, runs and reports call it.
        summary: a line for `adi models`.
        settings: the class of its settings, `TowerSettings` or one that extends it.
        backbone: makes the network of a tower from (F, D, settings): a module that maps embedded features x (R, F, E),
            the embedding of each row's domain f_domain (R, E) and D + 1 offsets to vectors (R, settings.dim).
        towers: puts the towers together; one pair for all domains by default.
        loss: of a domain's samples against its candidates, with the arguments of `adi.losses.sampled_softmax`.
        encoders: by value of the setting `behaviours`, what makes one vector of a history.
        defaults: settings of the model or of training that differ from the defaults of their classes.
        search: what `adi tune` tries by default, beside the settings of training.
        adjust: changes settings that the features of both towers give nothing to work on, and says so in notes.
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
    adjust: Adjust = _as_set

    def notes(self, dataset: Dataset, settings: Any) -> tuple[str, ...]:
        """What `build` does in another way than the settings say, because of the features of the dataset."""
        manifest = dataset.manifest
        return self.adjust(settings, manifest.side("user", "context"), manifest.side("item"))[1]

    def build(self, dataset: Dataset, settings: Any) -> TwoTower:
        """The network with fresh weights for the features of a dataset.

        Raises `AdiError` for settings that need a feature which the dataset does not have.
        """
        manifest = dataset.manifest
        neighbours = None
        if settings.neighbours:
            neighbours = item_neighbours(dataset, settings.neighbours, by_domain=self.towers.tables_by_domain)
        return self.build_towers(
            manifest.side("user", "context"), manifest.side("item"), len(dataset.domains), settings, neighbours
        )

    def build_towers(
        self,
        user_features: Sequence[Feature],
        item_features: Sequence[Feature],
        num_domains: int,
        settings: Any,
        neighbours: Neighbours | None = None,
    ) -> TwoTower:
        """The network with fresh weights, for features that need not be a dataset's."""
        settings, _ = self.adjust(settings, user_features, item_features)
        return self.towers(
            user_features=user_features,
            item_features=item_features,
            num_domains=num_domains,
            backbone=self._backbone(settings),
            encoders=self.encoders,
            settings=settings,
            neighbours=neighbours,
        )

    def count_parameters(self, dataset: Dataset, settings: Any) -> tuple[int, int]:
        """The number of parameters of the networks of both towers, and of the embedding tables.

        Nothing is allocated. Raises `AdiError` as `build` does.
        """
        with torch.device("meta"):
            towers = self.build(dataset, settings)
        tables = towers.tables.weight.numel()
        return sum(parameter.numel() for parameter in towers.parameters()) - tables, tables

    def _backbone(self, settings: Any) -> Backbone:
        """A network for each of the embedding sets, on its part of the embeddings and the vector."""
        sets = settings.embedding_sets
        if sets == 1:
            return lambda num_features, num_domains: self.backbone(num_features, num_domains, settings)
        part = settings.model_copy(
            update={"embedding_dim": settings.embedding_dim // sets, "dim": settings.dim // sets, "embedding_sets": 1}
        )
        return lambda num_features, num_domains: EmbeddingSets(
            [self.backbone(num_features, num_domains, part) for _ in range(sets)]
        )


Model = FittedModel | TrainedModel
