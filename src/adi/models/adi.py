"""ADI: an adaptation layer, then shared and domain-specific networks, fused (ADI sections 3 and 4; eq. 8-26)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn

from adi.batch import Offsets
from adi.models.model import TrainedModel
from adi.models.settings import TOWER_SEARCH, TowerSettings
from adi.models.tower import Feature
from adi.nn.domain_linear import DomainLinear
from adi.nn.feature_sum import FeatureSum
from adi.nn.fusion import ConcatFusion, SumFusion
from adi.nn.gating import SharedGate, mix
from adi.nn.interest_adaptation import SEAdaptation, interest_adaptation
from adi.nn.mlp import MLP, DomainMLP
from adi.nn.network_mul import NetworkMulLinear


class AdiSettings(TowerSettings):
    """Settings of the paper's backbone and adaptation layer.

    With `shrinkage`, every domain-specific weight is the sum of a shared weight and a domain's difference from it.
    """

    shared_networks: int = Field(1, ge=1)
    gate: Literal["softmax", "linear"] = "softmax"
    adaptation: Literal["none", "linear", "attention", "se", "se-global", "se-network"] = "se"
    se_sigmoid: bool = False
    fusion: Literal["concat", "sum", "network-mul"] = "concat"
    fusion_gate: Literal["scalar", "vector"] = "scalar"
    shrinkage: bool = True

    @field_validator("fusion")
    @classmethod
    def _network_mul_has_one_shared_network(cls, fusion: str, info: ValidationInfo) -> str:
        networks = info.data.get("shared_networks", 1)
        if fusion == "network-mul" and networks != 1:
            raise ValueError(
                f"network-mul multiplies each domain's network by one shared network, and shared_networks is "
                f"{networks}. Set shared_networks to 1, or fusion to concat or sum"
            )
        return fusion


class AdiBackbone(nn.Module):
    """The network of one tower: embedded features x (R, F, E) -> vectors (R, dim).

        F' = adaptation^(d)(F)                                    eq. 21-26
        E_shared = sum_k alpha_k MLP_k(F'), alpha = gate(f)       eq. 8-9, f the domain indicator's embedding
        E_spec = MLP^(d)(F')                                      eq. 10
        E = FC^(d)(fusion(E_spec, E_shared))                      eq. 11-15, 18
        E += sum_f r_f^(d) F'_f                                   with `residual`; not in the paper

    With ``adaptation: se-network`` each of the D + K networks has its own SE block in front of it (Fig. 4, "4-SE").
    With ``fusion: network-mul`` (eq. 16-17, STAR) every layer of MLP^(d) is multiplied by that of the shared network,
    and the output goes straight into FC^(d).
    """

    def __init__(self, num_features: int, num_domains: int, settings: AdiSettings) -> None:
        super().__init__()
        width, dim = num_features * settings.embedding_dim, settings.embedding_dim
        shrinkage = settings.shrinkage
        multiplied = settings.fusion == "network-mul"
        num_shared = 0 if multiplied else settings.shared_networks
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
            for _ in range(num_shared if in_network else 0)
        )
        self.in_specific = (
            SEAdaptation(num_features, num_domains, sigmoid=settings.se_sigmoid, shrinkage=shrinkage)
            if in_network
            else None
        )
        self.shared = nn.ModuleList(
            MLP(width, settings.networks, norm=settings.norm, dropout=settings.dropout, num_domains=num_domains)
            for _ in range(num_shared)
        )
        if num_shared:
            self.gate = SharedGate(dim, num_shared, kind=settings.gate)
        self.specific = DomainMLP(
            width,
            settings.networks,
            norm=settings.norm,
            dropout=settings.dropout,
            num_domains=num_domains,
            shrinkage=shrinkage,
            linear=NetworkMulLinear if multiplied else DomainLinear,
        )
        hidden = self.specific.out_features
        self.fusion: ConcatFusion | SumFusion | None = None
        if settings.fusion == "concat":
            self.fusion = ConcatFusion(hidden, dim, num_domains, gate=settings.fusion_gate, shrinkage=shrinkage)
        elif settings.fusion == "sum":
            self.fusion = SumFusion(hidden, dim, num_domains, shrinkage=shrinkage)
        fused = hidden if self.fusion is None else self.fusion.out_features
        self.output = DomainLinear(fused, settings.dim, num_domains, shrinkage=shrinkage)
        self.residual = (
            FeatureSum(num_features, dim, settings.dim, num_domains, shrinkage=shrinkage) if settings.residual else None
        )

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        x = self.adaptation(x, offsets)  # (R, F, E)
        adapted = x if self.in_specific is None else self.in_specific(x, offsets)
        fused = self.specific(adapted.flatten(1), offsets)  # (R, H)
        if self.fusion is not None:
            fused = self.fusion(fused, self._shared(x, f_domain, offsets), f_domain, offsets)  # (R, H) or (R, 3 H)
        output: Tensor = self.output(fused, offsets)  # (R, dim)
        return output if self.residual is None else output + self.residual(x, offsets)

    def _shared(self, x: Tensor, f_domain: Tensor, offsets: Offsets) -> Tensor:
        """E_shared (R, H)."""
        inputs = [block(x, offsets) for block in self.in_shared] or [x] * len(self.shared)
        outputs = [network(features.flatten(1), offsets) for network, features in zip(self.shared, inputs, strict=True)]
        return mix(self.gate(f_domain), outputs)


def without_lone_adaptation(
    settings: AdiSettings, user: Sequence[Feature], item: Sequence[Feature]
) -> tuple[AdiSettings, tuple[str, ...]]:
    """Remove the adaptation layer from the settings if each tower has a single feature besides the domain.

    The layer weighs features against each other. A single feature it could only scale, which the networks can do
    themselves. The paper leaves the layer out, too, where the data has only ids (section 5.1.1).

    Returns the settings, and a note for the user if they changed.
    """
    if settings.adaptation == "none" or max(len(user), len(item)) > 1:
        return settings, ()
    names = " and ".join(feature.name for feature in (*user, *item))
    note = (
        f"adaptation: the layer '{settings.adaptation}' is left out. It weighs features against each other, and each "
        f"tower has only one feature ({names})."
    )
    return settings.model_copy(update={"adaptation": "none"}), (note,)


ADI_SE = TrainedModel(
    name="adi-se",
    summary="ADI with domain-specific squeeze-and-excitation",
    settings=AdiSettings,
    backbone=AdiBackbone,
    search=TOWER_SEARCH | {"delta_users": {"low": 500, "high": 50_000, "log": True}},
    adjust=without_lone_adaptation,
)

ADI_LT = replace(
    ADI_SE, name="adi-lt", summary="ADI with a domain-specific linear layer", defaults={"adaptation": "linear"}
)

ADI_VA = replace(
    ADI_SE, name="adi-va", summary="ADI with domain-specific vanilla attention", defaults={"adaptation": "attention"}
)

ADI_SE_MAX = replace(
    ADI_SE, name="adi-se-max", summary="ADI-SE with three shared networks (MAX)", defaults={"shared_networks": 3}
)

ADI_PAPER = replace(
    ADI_SE,
    name="adi-paper",
    summary="ADI-SE as in the paper: independent weights by domain, DSBN, no residual path",
    defaults={
        "shrinkage": False,
        "norm": "domain",
        "residual": False,
        "neighbours": 0,
        "embedding_sets": 1,
        "behaviours": "mean",
        "behaviours_power": 0.0,
        "popularity_prior": False,
        "embedding_dropout": 0.0,
        "dropout": 0.0,
    },
)

STAR = replace(
    ADI_SE,
    name="star",
    summary="a shared network multiplied by domain-specific ones (Network-Mul)",
    defaults={"fusion": "network-mul", "adaptation": "none", "shrinkage": False},
)
