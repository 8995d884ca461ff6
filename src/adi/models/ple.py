"""PLE: an expert per domain and shared experts, mixed by domain-specific gates (RecSys 2020)."""

from pydantic import Field
from torch import Tensor, nn

from adi.batch import Offsets
from adi.models.model import TrainedModel
from adi.models.settings import TowerSettings
from adi.nn.domain_linear import DomainLinear
from adi.nn.feature_sum import FeatureSum
from adi.nn.gating import DomainGate, mix
from adi.nn.mlp import MLP, DomainMLP


class PleSettings(TowerSettings):
    """Settings of PLE: a network per domain, and `shared_networks` for all domains."""

    shared_networks: int = Field(1, ge=1)


class PleBackbone(nn.Module):
    """The network of one tower: embedded features x (R, F, E) -> vectors (R, dim).

        E = W^(d) (g_0 MLP^(d)(F) + sum_k g_k MLP_k(F)), g = softmax(W_gate^(d) F)    (+ the sum of the features)

    This is one extraction level (CGC), the size compared in ADI section 5.1.4: D + K networks, of which a sample runs
    that of its own domain and the K shared ones. With more levels, the shared gate would mix the experts of all
    domains, so that every sample would run all of them.
    """

    def __init__(self, num_features: int, num_domains: int, settings: PleSettings) -> None:
        super().__init__()
        width = num_features * settings.embedding_dim
        self.specific = DomainMLP(
            width, settings.networks, norm=settings.norm, dropout=settings.dropout, num_domains=num_domains
        )
        self.shared = nn.ModuleList(
            MLP(width, settings.networks, norm=settings.norm, dropout=settings.dropout, num_domains=num_domains)
            for _ in range(settings.shared_networks)
        )
        self.gate = DomainGate(width, 1 + settings.shared_networks, num_domains)
        self.output = DomainLinear(self.specific.out_features, settings.dim, num_domains)
        self.residual = FeatureSum(num_features, settings.embedding_dim, settings.dim) if settings.residual else None

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        flat = x.flatten(1)  # (R, F E)
        outputs = [network(flat, offsets) for network in (self.specific, *self.shared)]  # 1 + K of (R, H)
        output: Tensor = self.output(mix(self.gate(flat, offsets), outputs), offsets)  # (R, dim)
        return output if self.residual is None else output + self.residual(x, offsets)


PLE = TrainedModel(
    name="ple",
    summary="an expert per domain and shared experts, mixed by domain-specific gates",
    settings=PleSettings,
    backbone=PleBackbone,
)
