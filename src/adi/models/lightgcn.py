"""LightGCN as a two-tower model (He et al. 2020, https://arxiv.org/abs/2002.02126): a graph instead of networks.

Embeddings are smoothed along the graph of interactions (`TowerSettings.neighbours`), and a tower is the sum of its
features. The paper also learns an embedding for each user. Here, a user is represented by the smoothed items of the
history, so that new users have a vector, too. One step from item to item equals two steps in the paper's graph.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from adi.batch import Offsets
from adi.models.model import TrainedModel
from adi.models.settings import TOWER_SEARCH, TowerSettings
from adi.nn.feature_sum import FeatureSum


class LightGcnSettings(TowerSettings):
    """Settings of LightGCN. It has no networks: `networks`, `norm` and `dropout` are fixed."""

    neighbours: int = Field(20, ge=1)
    behaviours: Literal["mean", "recency"] = "mean"
    networks: tuple[()] = ()
    norm: Literal["none"] = "none"
    dropout: float = Field(0.0, ge=0.0, le=0.0)
    residual: Literal[True] = True


class LightGcnBackbone(nn.Module):
    """The sum of the features: x (R, F, E) -> (R, dim)."""

    def __init__(self, num_features: int, num_domains: int, settings: LightGcnSettings) -> None:
        super().__init__()
        self.sum = FeatureSum(num_features, settings.embedding_dim, settings.dim)

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        output: Tensor = self.sum(x, offsets)
        return output


LIGHTGCN = TrainedModel(
    name="lightgcn",
    summary="light graph convolution: embeddings smoothed over the interaction graph, no networks",
    settings=LightGcnSettings,
    backbone=LightGcnBackbone,
    search={name: values for name, values in TOWER_SEARCH.items() if name != "networks"}
    | {
        "behaviours": {"choices": ["mean", "recency"]},
        "neighbours": {"low": 5, "high": 100, "log": True},
    },
)
