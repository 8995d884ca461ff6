"""Gates: weights that mix the outputs of several networks."""

from collections.abc import Sequence
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from adi.errors import AdiError, suggestion
from adi.nn.domain_linear import DomainLinear

GateKind = Literal["softmax", "linear"]
GATE_KINDS = ("softmax", "linear")


class SharedGate(nn.Module):
    """The weights alpha_k of ``E_shared = Σ_k alpha_k MLP_k(F)`` (ADI eq. 8, 9), computed from the domain's embedding.

    Args:
        embedding_dim: E.
        num_networks: K, the number of shared networks.
        kind: "softmax", our choice: the weights of a sample are positive and sum to 1. "linear", as in the paper: the
            outputs of a linear layer divided by their sum. They sum to 1, too, but may be negative, and grow without
            bound as the sum approaches 0.

    Shapes:
        f_domain (B, E) → (B, K), each row summing to 1

    Example:
        >>> gate = SharedGate(embedding_dim=3, num_networks=2, kind="softmax")
        >>> weights = gate(torch.randn(5, 3))  # (B, K)
        >>> mix(weights, [torch.randn(5, 4), torch.randn(5, 4)]).shape
        torch.Size([5, 4])
    """

    def __init__(self, embedding_dim: int, num_networks: int, *, kind: GateKind = "softmax") -> None:
        super().__init__()
        if kind not in GATE_KINDS:
            raise AdiError(f"gate '{kind}' is not one of {', '.join(GATE_KINDS)}.{suggestion(kind, GATE_KINDS)}")
        self.kind = kind
        self.linear = nn.Linear(embedding_dim, num_networks)

    def forward(self, f_domain: Tensor) -> Tensor:
        raw: Tensor = self.linear(f_domain)  # (B, K)
        return raw.softmax(-1) if self.kind == "softmax" else raw / raw.sum(-1, keepdim=True)


class DomainGate(nn.Module):
    """``softmax(W^(d) x)``: the weights with which domain d mixes n networks, computed from the sample's features.

    The gate of MMoE and PLE, with domains in place of tasks.

    Args:
        in_features: width of x.
        num_networks: n.
        num_domains: D.

    Shapes:
        x (B, in_features), domain-major with `offsets` (D + 1) → (B, n), each row summing to 1

    Example:
        >>> gate = DomainGate(6, num_networks=2, num_domains=3)
        >>> gate(torch.randn(5, 6), [0, 2, 2, 5]).shape
        torch.Size([5, 2])
    """

    def __init__(self, in_features: int, num_networks: int, num_domains: int) -> None:
        super().__init__()
        self.linear = DomainLinear(in_features, num_networks, num_domains, bias=False)

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        weights: Tensor = self.linear(x, offsets).softmax(-1)
        return weights


def mix(weights: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    """``Σ_k weights_k outputs_k``: weights (B, n) and n outputs of (B, dim) → (B, dim)."""
    shares = weights.unsqueeze(-1).unbind(1)  # n of (B, 1)
    return reduce(torch.add, (share * output for share, output in zip(shares, outputs, strict=True)))
