"""ADI: shared and domain-specific networks, fused, behind an adaptation layer (ADI sections 3 and 4; eq. 8-26)."""

import torch
from torch import Tensor, nn

from adi.batch import Offsets
from adi.layers.domain_linear import DomainLinear
from adi.layers.feature_sum import FeatureSum
from adi.layers.fusion import ConcatFusion, SumFusion
from adi.layers.gating import SharedGate
from adi.layers.interest_adaptation import SEAdaptation, interest_adaptation
from adi.layers.mlp import MLP, DomainMLP
from adi.models.settings import AdiSettings


class AdiBackbone(nn.Module):
    """From the embedded features of one side to its vector: x (R, F, E) -> (R, dim).

        F' = adaptation^(d)(F)                                    eq. 21-26
        E_shared = sum_k alpha_k MLP_k(F'), alpha = gate(f)       eq. 8-9, f the domain indicator's embedding
        E_spec = MLP^(d)(F')                                      eq. 10
        E = FC^(d)(fusion(E_spec, E_shared))                      eq. 11-18
        E += sum_f r_f^(d) F'_f                                   ours, `residual`

    With ``adaptation: se-network`` each of the D + K networks has a block of its own in front (Fig. 4, "4-SE").
    """

    def __init__(self, num_features: int, num_domains: int, settings: AdiSettings) -> None:
        super().__init__()
        width, dim = num_features * settings.embedding_dim, settings.embedding_dim
        shrinkage = settings.shrinkage
        in_network = settings.adaptation == "se-network"
        self.adaptation = interest_adaptation(
            "none" if settings.adaptation == "se-network" else settings.adaptation,
            num_features=num_features,
            embedding_dim=dim,
            num_domains=num_domains,
            sigmoid=settings.se_sigmoid,
            shrinkage=shrinkage,
        )
        self.in_shared = nn.ModuleList(
            SEAdaptation(num_features, num_domains, per_domain=False, sigmoid=settings.se_sigmoid)
            for _ in range(settings.shared_networks if in_network else 0)
        )
        self.in_specific = (
            SEAdaptation(num_features, num_domains, sigmoid=settings.se_sigmoid, shrinkage=shrinkage)
            if in_network
            else None
        )
        self.shared = nn.ModuleList(
            MLP(width, settings.networks, norm=settings.norm, dropout=settings.dropout, num_domains=num_domains)
            for _ in range(settings.shared_networks)
        )
        self.gate = SharedGate(dim, settings.shared_networks, kind=settings.gate)
        self.specific = DomainMLP(
            width,
            settings.networks,
            norm=settings.norm,
            dropout=settings.dropout,
            num_domains=num_domains,
            shrinkage=shrinkage,
        )
        hidden = self.specific.out_features
        self.fusion: ConcatFusion | SumFusion
        if settings.fusion == "concat":
            self.fusion = ConcatFusion(hidden, dim, num_domains, gate=settings.fusion_gate, shrinkage=shrinkage)
        else:
            self.fusion = SumFusion(hidden, dim, num_domains, shrinkage=shrinkage)
        self.output = DomainLinear(self.fusion.out_features, settings.dim, num_domains, shrinkage=shrinkage)
        self.residual = (
            FeatureSum(num_features, dim, settings.dim, num_domains, shrinkage=shrinkage) if settings.residual else None
        )

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        x = self.adaptation(x, offsets)  # (R, F, E)
        alpha = self.gate(f_domain)  # (R, K)
        shared = torch.zeros((), device=x.device)
        for k, network in enumerate(self.shared):
            adapted = self.in_shared[k](x, offsets) if self.in_shared else x
            shared = shared + alpha[:, k : k + 1] * network(adapted.flatten(1), offsets)  # (R, H)
        adapted = x if self.in_specific is None else self.in_specific(x, offsets)
        specific = self.specific(adapted.flatten(1), offsets)  # (R, H)
        output: Tensor = self.output(self.fusion(specific, shared, f_domain, offsets), offsets)  # (R, dim)
        return output if self.residual is None else output + self.residual(x, offsets)
