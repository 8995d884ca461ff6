"""Every model by name: what it is, its settings with their defaults, and how it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from adi.data.dataset import Dataset
from adi.errors import AdiError, suggestion
from adi.models.adi import AdiBackbone
from adi.models.dnn import DnnBackbone
from adi.models.item_knn import ItemKnn
from adi.models.popularity import Popularity
from adi.models.scorer import Scorer
from adi.models.settings import (
    AdiSettings,
    DnnSettings,
    ItemKnnSettings,
    PopularitySettings,
    TowerSettings,
)
from adi.models.two_tower import TwoTower
from adi.schema import Strict


@dataclass(frozen=True)
class CountedModel:
    """A model that is computed from the data at once, without training: `fit(dataset, settings)`."""

    summary: str
    settings: type[Strict]
    fit: Callable[[Dataset, Any], Scorer]


@dataclass(frozen=True)
class TrainedModel:
    """A two-tower model: `backbone(F, D, settings)` makes the network of a tower."""

    summary: str
    settings: type[TowerSettings]
    backbone: Callable[[int, int, Any], nn.Module]
    defaults: Mapping[str, Any] = field(default_factory=dict)


MODELS: dict[str, CountedModel | TrainedModel] = {
    "popularity": CountedModel("the domain's most clicked items", PopularitySettings, lambda data, _: Popularity(data)),
    "item-knn": CountedModel("items that the same users took", ItemKnnSettings, ItemKnn),
    "dnn": TrainedModel("one network for all domains (YouTubeDNN)", DnnSettings, DnnBackbone),
    "adi-se": TrainedModel("ADI with squeeze-and-excitation by domain", AdiSettings, AdiBackbone),
    "adi-va": TrainedModel(
        "ADI with vanilla attention by domain", AdiSettings, AdiBackbone, {"adaptation": "attention"}
    ),
    "adi-lt": TrainedModel(
        "ADI with a linear transformation by domain", AdiSettings, AdiBackbone, {"adaptation": "linear"}
    ),
    "adi-paper": TrainedModel(
        "ADI-SE as the paper states it: literal domain-specific weights, DSBN, no residual path",
        AdiSettings,
        AdiBackbone,
        {
            "shrinkage": False,
            "norm": "domain",
            "residual": False,
            "behaviours": "mean",
            "popularity_prior": False,
            "embedding_dropout": 0.0,
        },
    ),
}


def model_named(name: str) -> CountedModel | TrainedModel:
    """Raises `AdiError` with the known names for an unknown one."""
    if name not in MODELS:
        raise AdiError(f"--model: '{name}' is not a model.{suggestion(name, MODELS)} Known: {', '.join(MODELS)}.")
    return MODELS[name]


def build(model: TrainedModel, dataset: Dataset, settings: TowerSettings) -> TwoTower:
    """A two-tower model with fresh weights for the features of a dataset."""
    manifest = dataset.manifest
    return TwoTower(
        user_features=manifest.side("user", "context"),
        item_features=manifest.side("item"),
        num_domains=len(dataset.domains),
        backbone=lambda num_features, num_domains: model.backbone(num_features, num_domains, settings),
        settings=settings,
    )
