"""Shared-Bottom: one network for all domains, with a small domain-specific one on top (ADI section 5.1.2)."""

from pydantic import PositiveInt
from torch import Tensor, nn

from adi.batch import Offsets
from adi.models.model import TrainedModel
from adi.models.settings import TowerSettings
from adi.nn.domain_linear import DomainLinear
from adi.nn.feature_sum import FeatureSum
from adi.nn.mlp import MLP, DomainMLP


class SharedBottomSettings(TowerSettings):
    """Settings of Shared-Bottom: `head` are the layer sizes of each domain's network on top of the shared one."""

    head: tuple[PositiveInt, ...] = (64,)


class SharedBottomBackbone(nn.Module):
    """``E = W^(d) MLP_head^(d)(MLP(F)) (+ the sum of the features)``: x (R, F, E) -> (R, dim)."""

    def __init__(self, num_features: int, num_domains: int, settings: SharedBottomSettings) -> None:
        super().__init__()
        self.bottom = MLP(
            num_features * settings.embedding_dim,
            settings.networks,
            norm=settings.norm,
            dropout=settings.dropout,
            num_domains=num_domains,
        )
        self.head = DomainMLP(
            self.bottom.out_features,
            settings.head,
            norm=settings.norm,
            dropout=settings.dropout,
            num_domains=num_domains,
        )
        self.output = DomainLinear(self.head.out_features, settings.dim, num_domains)
        self.residual = FeatureSum(num_features, settings.embedding_dim, settings.dim) if settings.residual else None

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        hidden = self.bottom(x.flatten(1), offsets)  # (R, H)
        output: Tensor = self.output(self.head(hidden, offsets), offsets)  # (R, dim)
        return output if self.residual is None else output + self.residual(x, offsets)


SHARED_BOTTOM = TrainedModel(
    name="shared-bottom",
    summary="one network for all domains, a small domain-specific one on top",
    settings=SharedBottomSettings,
    backbone=SharedBottomBackbone,
)
