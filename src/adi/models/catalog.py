"""Every model by name: what it is, its settings with their defaults, and how it is built."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from adi.data.dataset import Dataset
from adi.errors import AdiError, suggestion
from adi.models.adi import AdiBackbone, refuse_lone_features
from adi.models.cross_stitch import CrossStitchBackbone
from adi.models.dnn import DnnBackbone
from adi.models.dnn_single import DnnSingle
from adi.models.ease import Ease, check_size
from adi.models.item_knn import ItemKnn
from adi.models.lightgcn import LightGcnBackbone
from adi.models.mind import Mind
from adi.models.mmoe import MmoeBackbone
from adi.models.ple import PleBackbone
from adi.models.popularity import Popularity
from adi.models.scorer import Scorer
from adi.models.settings import (
    AdiSettings,
    DnnSettings,
    EaseSettings,
    ItemKnnSettings,
    LightGcnSettings,
    MindSettings,
    MmoeSettings,
    PleSettings,
    PopularitySettings,
    SharedBottomSettings,
    TowerSettings,
    UserKnnSettings,
)
from adi.models.shared_bottom import SharedBottomBackbone
from adi.models.similarity import item_neighbours
from adi.models.two_tower import Backbone, Feature, SharedTowers, TwoTower
from adi.models.user_knn import UserKnn
from adi.nn.embedding import Neighbours
from adi.nn.embedding_sets import EmbeddingSets
from adi.schema import Strict


@dataclass(frozen=True)
class CountedModel:
    """A model that is computed from the data at once, without training: `fit(dataset, settings)`.

    `check` raises `AdiError` for data that it cannot be fitted to, and is quick.
    """

    summary: str
    settings: type[Strict]
    fit: Callable[[Dataset, Any], Scorer]
    check: Callable[[Dataset, Any], None] = lambda dataset, settings: None


@dataclass(frozen=True)
class TrainedModel:
    """A two-tower model: `backbone(F, D, settings)` makes the network of a tower, `towers` puts both together."""

    summary: str
    settings: type[TowerSettings]
    backbone: Callable[[int, int, Any], nn.Module]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    towers: Callable[..., TwoTower] = SharedTowers


MODELS: dict[str, CountedModel | TrainedModel] = {
    "popularity": CountedModel("the domain's most clicked items", PopularitySettings, lambda data, _: Popularity(data)),
    "item-knn": CountedModel("items that the same users took", ItemKnnSettings, ItemKnn),
    "user-knn": CountedModel("what users with similar histories took", UserKnnSettings, UserKnn),
    "ease": CountedModel("linear weights between items, in closed form", EaseSettings, Ease, check_size),
    "dnn-single": TrainedModel(
        "a network for each domain, nothing shared (one YouTubeDNN each)", DnnSettings, DnnBackbone, towers=DnnSingle
    ),
    "dnn": TrainedModel("one network for all domains (YouTubeDNN)", DnnSettings, DnnBackbone),
    "lightgcn": TrainedModel(
        "light graph convolution: embeddings smoothed along the graph of interactions, no networks",
        LightGcnSettings,
        LightGcnBackbone,
    ),
    "mind": TrainedModel(
        "dnn with a user vector for each of several interests", MindSettings, DnnBackbone, towers=Mind
    ),
    "shared-bottom": TrainedModel(
        "one network for all domains, a small one by domain on top", SharedBottomSettings, SharedBottomBackbone
    ),
    "cross-stitch": TrainedModel(
        "a network by domain, mixed; all run, so cost grows with D", TowerSettings, CrossStitchBackbone
    ),
    "mmoe": TrainedModel("experts for all domains, mixed by a gate by domain", MmoeSettings, MmoeBackbone),
    "ple": TrainedModel("an expert by domain and shared ones, mixed by a gate by domain", PleSettings, PleBackbone),
    "star": TrainedModel(
        "a shared network times one by domain (Network-Mul)",
        AdiSettings,
        AdiBackbone,
        {"fusion": "network-mul", "adaptation": "none", "shrinkage": False},
    ),
    "adi-lt": TrainedModel(
        "ADI with a linear transformation by domain", AdiSettings, AdiBackbone, {"adaptation": "linear"}
    ),
    "adi-va": TrainedModel(
        "ADI with vanilla attention by domain", AdiSettings, AdiBackbone, {"adaptation": "attention"}
    ),
    "adi-se": TrainedModel("ADI with squeeze-and-excitation by domain", AdiSettings, AdiBackbone),
    "adi-se-max": TrainedModel(
        "ADI-SE with three shared networks (MAX)", AdiSettings, AdiBackbone, {"shared_networks": 3}
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
            "behaviours_power": 0.0,
            "popularity_prior": False,
            "embedding_dropout": 0.0,
            "dropout": 0.0,
        },
    ),
}


def model_named(name: str) -> CountedModel | TrainedModel:
    """Raises `AdiError` with the known names for an unknown one."""
    if name not in MODELS:
        raise AdiError(f"--model: '{name}' is not a model.{suggestion(name, MODELS)} Known: {', '.join(MODELS)}.")
    return MODELS[name]


def build(model: TrainedModel, dataset: Dataset, settings: TowerSettings) -> TwoTower:
    """A two-tower model with fresh weights for the features of a dataset.

    Raises `AdiError` for settings that the features give nothing to work on.
    """
    manifest = dataset.manifest
    user_features, item_features = manifest.side("user", "context"), manifest.side("item")
    if isinstance(settings, AdiSettings):
        refuse_lone_features(settings, user_features, item_features)
    alone = model.towers is DnnSingle
    neighbours = item_neighbours(dataset, settings.neighbours, by_domain=alone) if settings.neighbours else None
    return build_towers(model, user_features, item_features, len(dataset.domains), settings, neighbours)


def build_towers(
    model: TrainedModel,
    user_features: Sequence[Feature],
    item_features: Sequence[Feature],
    num_domains: int,
    settings: TowerSettings,
    neighbours: Neighbours | None = None,
) -> TwoTower:
    """A two-tower model with fresh weights for features that need not be a dataset's."""
    return model.towers(
        user_features=user_features,
        item_features=item_features,
        num_domains=num_domains,
        backbone=_backbone(model, settings),
        settings=settings,
        neighbours=neighbours,
    )


def _backbone(model: TrainedModel, settings: TowerSettings) -> Backbone:
    """One network of a tower for each of the embedding sets, on its part of the embeddings and the vector."""
    sets = settings.embedding_sets
    if sets == 1:
        return lambda num_features, num_domains: model.backbone(num_features, num_domains, settings)
    part = settings.model_copy(
        update={"embedding_dim": settings.embedding_dim // sets, "dim": settings.dim // sets, "embedding_sets": 1}
    )
    return lambda num_features, num_domains: EmbeddingSets(
        [model.backbone(num_features, num_domains, part) for _ in range(sets)]
    )


def parameters_of(model: TrainedModel, dataset: Dataset, settings: TowerSettings) -> tuple[int, int]:
    """How many parameters the networks of both towers have for a dataset, and how many the embedding tables.

    Nothing is allocated. Raises `AdiError` as `build` does.
    """
    with torch.device("meta"):
        towers = build(model, dataset, settings)
    tables = towers.tables.weight.numel()
    return sum(parameter.numel() for parameter in towers.parameters()) - tables, tables
