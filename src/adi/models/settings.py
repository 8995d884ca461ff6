"""The settings of each kind of model; every model name has its own defaults, see `adi.models.catalog`."""

from typing import Literal

from pydantic import Field

from adi.schema import Strict


class PopularitySettings(Strict):
    """Popularity has nothing to set."""


class ItemKnnSettings(Strict):
    """Similarities between items from the training rows of all domains, or of the query's own."""

    scope: Literal["all", "domain"] = "all"
    neighbours: int = Field(1000, ge=1)
    shrink: float = Field(20.0, ge=0.0)
    domain_prior: float = Field(0.0, ge=0.0)


class TowerSettings(Strict):
    """What every two-tower model has.

    `networks` are the layer sizes of each network, `dim` the size of the vectors that the towers return. `residual`
    adds a weighted sum of the features to a tower's output, past the networks. In training, scores are divided by
    `temperature`. `popularity_prior` adds a learned multiple of the log of an item's share of the domain's training
    rows to its score. Without `domain_indicator` the towers are not told the domain.
    """

    embedding_dim: int = Field(64, ge=1)
    embedding_std: float = Field(0.05, gt=0.0)
    networks: tuple[int, ...] = (128,)
    dim: int = Field(64, ge=1)
    norm: Literal["none", "batch", "domain"] = "none"
    residual: bool = True
    embedding_dropout: float = Field(0.2, ge=0.0, lt=1.0)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    behaviours: Literal["mean", "recency"] = "recency"
    similarity: Literal["dot", "cosine"] = "dot"
    temperature: float = Field(1.0, gt=0.0)
    popularity_prior: bool = True
    domain_indicator: bool = True


class DnnSettings(TowerSettings):
    """One network for all domains (YouTubeDNN)."""

    norm: Literal["none", "batch"] = "none"


class AdiSettings(TowerSettings):
    """The paper's backbone and adaptation. `shrinkage` ties every domain-specific weight to a shared one."""

    shared_networks: int = Field(1, ge=1)
    gate: Literal["softmax", "linear"] = "softmax"
    adaptation: Literal["none", "linear", "attention", "se", "se-global", "se-network"] = "se"
    se_sigmoid: bool = False
    fusion: Literal["concat", "sum"] = "concat"
    fusion_gate: Literal["scalar", "vector"] = "scalar"
    shrinkage: bool = True
