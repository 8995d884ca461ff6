"""The settings of each kind of model; every model name has its own defaults, see `adi.models.catalog`."""

from typing import Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from adi.schema import Strict


class PopularitySettings(Strict):
    """Popularity has nothing to set."""


class ItemKnnSettings(Strict):
    """Similarities between items from the training rows of all domains, or of the query's own."""

    scope: Literal["all", "domain"] = "all"
    neighbours: int = Field(1000, ge=1)
    shrink: float = Field(20.0, ge=0.0)
    domain_prior: float = Field(0.0, ge=0.0)


class UserKnnSettings(Strict):
    """Similarities between a history and the items of each user, in the training rows of all domains or of its own."""

    scope: Literal["all", "domain"] = "all"
    neighbours: int = Field(1000, ge=1)
    shrink: float = Field(5.0, ge=0.0)
    domain_prior: float = Field(0.0, ge=0.0)


class EaseSettings(Strict):
    """Weights between items that explain the training rows of all domains, or of each alone; `l2` keeps them small."""

    scope: Literal["all", "domain"] = "all"
    l2: float = Field(300.0, gt=0.0)
    max_items: int = Field(20_000, ge=1)
    domain_prior: float = Field(0.0, ge=0.0)


class TowerSettings(Strict):
    """What every two-tower model has.

    `networks` are the layer sizes of each network, `dim` the size of the vectors that the towers return. With
    `embedding_sets` above 1 the embeddings are cut into so many parts of equal width, each with networks of its own
    that make their part of the vector and have a loss of their own; a score is the mean of the sets' scores. `residual`
    adds a weighted sum of the features to a tower's output, past the networks. In training, scores are divided by
    `temperature`. `popularity_prior` adds a learned multiple of the log of an item's share of the domain's training
    rows to its score. Without `domain_indicator` the towers are not told the domain.

    With `neighbours` above 0, an item's embedding, in a history and as a candidate, is half its own and half the mean
    of those of so many items that the same users took in training: the graph of interactions, one step from each item.

    `behaviours` says how a history becomes one vector: the mean of its items; a mean weighted by how recent each is, or
    by attention, to how recent it is and what it is, as the domain wants it; or what a transformer of so many layers
    and heads makes of them, read out by that attention. The vector of n items is then multiplied by n to the power
    `behaviours_power`: at 0 a long history says as much as a short one, above 0 more.
    """

    embedding_dim: int = Field(64, ge=1)
    embedding_std: float = Field(0.05, gt=0.0)
    networks: tuple[PositiveInt, ...] = (128,)
    dim: int = Field(64, ge=1)
    embedding_sets: int = Field(1, ge=1, validate_default=True)
    norm: Literal["none", "batch", "domain"] = "none"
    residual: bool = True
    embedding_dropout: float = Field(0.2, ge=0.0, lt=1.0)
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    neighbours: int = Field(0, ge=0)
    behaviours: Literal["mean", "recency", "attention", "transformer"] = "recency"
    behaviours_power: float = Field(0.3, ge=0.0, le=1.0)
    behaviours_layers: int = Field(1, ge=1)
    behaviours_heads: int = Field(2, ge=1, validate_default=True)
    behaviours_dropout: float = Field(0.1, ge=0.0, lt=1.0)
    similarity: Literal["dot", "cosine"] = "dot"
    temperature: float = Field(1.0, gt=0.0)
    popularity_prior: bool = True
    domain_indicator: bool = True

    @field_validator("embedding_sets")
    @classmethod
    def _sets_divide(cls, sets: int, info: ValidationInfo) -> int:
        for name in ("embedding_dim", "dim"):
            if info.data.get(name, sets) % sets:
                raise ValueError(f"the sets must divide {name}, which is {info.data[name]}")
        return sets

    @field_validator("behaviours_heads")
    @classmethod
    def _heads_divide(cls, heads: int, info: ValidationInfo) -> int:
        width = info.data.get("embedding_dim", heads)
        if info.data.get("behaviours") == "transformer" and width % heads:
            raise ValueError(f"the heads of the transformer must divide embedding_dim, which is {width}")
        return heads


class DnnSettings(TowerSettings):
    """One network for all domains (YouTubeDNN)."""

    norm: Literal["none", "batch"] = "none"


class LightGcnSettings(TowerSettings):
    """No networks: `networks`, `norm` and `dropout` have nothing to act on."""

    neighbours: int = Field(20, ge=1)
    behaviours: Literal["mean", "recency"] = "mean"
    networks: tuple[()] = ()
    norm: Literal["none"] = "none"
    dropout: float = Field(0.0, ge=0.0, le=0.0)
    residual: Literal[True] = True


class MindSettings(DnnSettings):
    """A user vector for each of so many `interests`; `sharpness` is how much training keeps to the best one."""

    behaviours: Literal["attention", "transformer"] = "attention"
    interests: int = Field(4, ge=1)
    sharpness: float = Field(4.0, ge=0.0)


class SharedBottomSettings(TowerSettings):
    """One network for all domains; `head` are the layer sizes of each domain's own network on top of it."""

    head: tuple[PositiveInt, ...] = (64,)


class MmoeSettings(TowerSettings):
    """`experts` networks, all for all domains; by default one more than there are domains, as many as ADI has."""

    experts: int | None = Field(None, ge=1)


class PleSettings(TowerSettings):
    """A network of each domain's own and `shared_networks` for all."""

    shared_networks: int = Field(1, ge=1)


class AdiSettings(TowerSettings):
    """The paper's backbone and adaptation. `shrinkage` ties every domain-specific weight to a shared one."""

    shared_networks: int = Field(1, ge=1)
    gate: Literal["softmax", "linear"] = "softmax"
    adaptation: Literal["none", "linear", "attention", "se", "se-global", "se-network"] = "se"
    se_sigmoid: bool = False
    fusion: Literal["concat", "sum", "network-mul"] = "concat"
    fusion_gate: Literal["scalar", "vector"] = "scalar"
    shrinkage: bool = True

    @field_validator("fusion")
    @classmethod
    def _multiplies_one(cls, fusion: str, info: ValidationInfo) -> str:
        networks = info.data.get("shared_networks", 1)
        if fusion == "network-mul" and networks != 1:
            raise ValueError(
                f"network-mul multiplies one shared network with each domain's own, and shared_networks is {networks}. "
                "Set shared_networks to 1, or fusion to concat or sum"
            )
        return fusion
