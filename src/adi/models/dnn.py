"""DNN: one network for all domains, with the domain as a feature (YouTubeDNN on mixed data; ADI section 5.1.2)."""

from typing import Literal

from torch import Tensor, nn

from adi.batch import Offsets
from adi.models.model import TrainedModel
from adi.models.settings import TowerSettings
from adi.nn.feature_sum import FeatureSum
from adi.nn.mlp import MLP


class DnnSettings(TowerSettings):
    """Settings of one network for all domains (YouTubeDNN)."""

    norm: Literal["none", "batch"] = "none"


class DnnBackbone(nn.Module):
    """``E = W MLP(F) (+ the sum of the features)``: x (R, F, E) -> (R, dim)."""

    def __init__(self, num_features: int, num_domains: int, settings: DnnSettings) -> None:
        super().__init__()
        width = num_features * settings.embedding_dim
        self.network = MLP(
            width, settings.networks, norm=settings.norm, dropout=settings.dropout, num_domains=num_domains
        )
        self.output = nn.Linear(self.network.out_features, settings.dim)
        self.residual = FeatureSum(num_features, settings.embedding_dim, settings.dim) if settings.residual else None

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        output: Tensor = self.output(self.network(x.flatten(1), offsets))
        return output if self.residual is None else output + self.residual(x, offsets)


DNN = TrainedModel(
    name="dnn", summary="one network for all domains (YouTubeDNN)", settings=DnnSettings, backbone=DnnBackbone
)
