"""Settings shared by all two-tower models, and their default search space."""

from typing import Any, Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from adi.strict import Strict


class TowerSettings(Strict):
    """Settings of a two-tower model.

    `networks` are the layer sizes of each network. `embedding_dim` is the width of the embeddings and `dim` the size of
    the vectors that the towers return, both of one embedding set.
    `residual` adds a weighted sum of the features to a tower's output, bypassing the networks. In training, scores are
    divided by `temperature`. `popularity_prior` adds to an item's score a learned multiple of the log of its share of
    the domain's training rows. Without `domain_indicator`, the towers do not get the domain as a feature.

    With `embedding_sets` above 1, there are that many embeddings, side by side in the tables. Each set has its own
    networks, which produce one part of the vector, and its own loss; a score is the mean of the sets' scores. The
    default None depends on the data (`adi.training.defaults`); a model that is built with it has one.

    With `neighbours` above 0, an item's embedding, in a history and as a candidate, is half its own and half the mean
    of those of its nearest neighbours, the items with the most similar users: one step in the graph of interactions.
    The default None depends on the data; a model that is built with it has none.

    `behaviours` names the encoder that turns a history into one vector (`adi.models.encoders`): "mean" is the mean of
    its items; "recency" weights them by age; "attention" weights them by age and content, depending on the domain;
    "transformer" is a transformer with `behaviours_layers` and `behaviours_heads`, pooled by the same attention. The
    vector of n items is then multiplied by n to the power `behaviours_power`: at 0, long and short histories count the
    same; above 0, long ones count more.
    """

    embedding_dim: int = Field(64, ge=1)
    embedding_std: float = Field(0.05, gt=0.0)
    networks: tuple[PositiveInt, ...] = (128,)
    dim: int = Field(64, ge=1)
    embedding_sets: int | None = Field(None, ge=1)
    norm: Literal["none", "batch", "domain"] = "none"
    residual: bool = True
    embedding_dropout: float = Field(0.2, ge=0.0, lt=1.0)
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    neighbours: int | None = Field(None, ge=0)
    behaviours: str = "recency"
    behaviours_power: float = Field(0.3, ge=0.0, le=1.0)
    behaviours_layers: int = Field(1, ge=1)
    behaviours_heads: int = Field(2, ge=1, validate_default=True)
    behaviours_dropout: float = Field(0.1, ge=0.0, lt=1.0)
    similarity: Literal["dot", "cosine"] = "dot"
    temperature: float = Field(1.0, gt=0.0)
    popularity_prior: bool = True
    domain_indicator: bool = True

    @property
    def num_sets(self) -> int:
        """The number of embedding sets."""
        return self.embedding_sets or 1

    @property
    def table_dim(self) -> int:
        """The width of the embedding tables, all sets together."""
        return self.num_sets * self.embedding_dim

    @property
    def vector_dim(self) -> int:
        """The size of the vectors that the towers return, all sets together."""
        return self.num_sets * self.dim

    @field_validator("behaviours_heads")
    @classmethod
    def _heads_divide(cls, heads: int, info: ValidationInfo) -> int:
        width = info.data.get("embedding_dim", heads)
        if info.data.get("behaviours") == "transformer" and width % heads:
            raise ValueError(f"the heads of the transformer must divide embedding_dim, which is {width}")
        return heads


TOWER_SEARCH: dict[str, dict[str, Any]] = {
    "embedding_dim": {"choices": [32, 64, 128]},
    "dim": {"choices": [32, 64, 128]},
    "embedding_sets": {"choices": [1, 2, 4]},
    "networks": {"choices": [[64], [128], [256], [256, 128]]},
    "embedding_dropout": {"low": 0.0, "high": 0.7},
    "behaviours": {"choices": ["mean", "recency", "attention"]},
    "behaviours_power": {"low": 0.0, "high": 0.5},
    "neighbours": {"choices": [0, 20, 50]},
}
