"""MMoE: experts for all domains, mixed by a gate of each domain's own (KDD 2018; ADI section 5.1.2)."""

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
    """`experts` networks, each for all domains; by default one more than there are domains, as many as ADI has."""

    experts: int | None = Field(None, ge=1)


class MmoeBackbone(nn.Module):
    """From the embedded features of one side to its vector: x (R, F, E) -> (R, dim).

        E = W^(d) sum_k g_k MLP_k(F), g = softmax(W_gate^(d) F)    (+ the features' sum)

    Every sample runs all experts, its own domain's gate and its own domain's head. So a sample costs what the experts
    do: by default one more than there are domains, as many networks as ADI has, of which it would run two.
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
    summary="experts for all domains, mixed by a gate by domain",
    settings=MmoeSettings,
    backbone=MmoeBackbone,
)
