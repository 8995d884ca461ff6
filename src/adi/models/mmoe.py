"""MMoE: experts shared by all domains, mixed by domain-specific gates (KDD 2018; ADI section 5.1.2)."""

from pydantic import Field
from torch import Tensor, nn

from adi.batch import Offsets
from adi.models.model import TrainedModel
from adi.models.settings import TowerSettings
from adi.nn.domain_linear import DomainLinear
from adi.nn.feature_sum import FeatureSum
from adi.nn.gating import DomainGate, mix
from adi.nn.mlp import MLP


class MmoeSettings(TowerSettings):
    """Settings of MMoE: `experts` is the number of shared networks; the default is D + 1, as many as ADI has."""

    experts: int | None = Field(None, ge=1)


class MmoeBackbone(nn.Module):
    """The network of one tower: embedded features x (R, F, E) -> vectors (R, dim).

        E = W^(d) sum_k g_k MLP_k(F), g = softmax(W_gate^(d) F)    (+ the sum of the features)

    Every sample runs all experts, and the gate and head of its own domain. The cost of a sample therefore grows with
    the number of experts. By default there are D + 1, as many networks as ADI has; ADI runs two of them for a sample.
    """

    def __init__(self, num_features: int, num_domains: int, settings: MmoeSettings) -> None:
        super().__init__()
        width = num_features * settings.embedding_dim
        self.experts = nn.ModuleList(
            MLP(width, settings.networks, norm=settings.norm, dropout=settings.dropout, num_domains=num_domains)
            for _ in range(settings.experts or num_domains + 1)
        )
        self.gate = DomainGate(width, len(self.experts), num_domains)
        self.output = DomainLinear((width, *settings.networks)[-1], settings.dim, num_domains)
        self.residual = FeatureSum(num_features, settings.embedding_dim, settings.dim) if settings.residual else None

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        flat = x.flatten(1)  # (R, F E)
        mixed = mix(self.gate(flat, offsets), [expert(flat, offsets) for expert in self.experts])  # (R, H)
        output: Tensor = self.output(mixed, offsets)  # (R, dim)
        return output if self.residual is None else output + self.residual(x, offsets)


MMOE = TrainedModel(
    name="mmoe",
    summary="shared experts, mixed by domain-specific gates",
    settings=MmoeSettings,
    backbone=MmoeBackbone,
)
