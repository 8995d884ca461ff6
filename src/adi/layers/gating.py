"""The gate that mixes the outputs of the shared networks."""

from typing import Literal

from torch import Tensor, nn

from adi.errors import AdiError, suggestion

GateKind = Literal["softmax", "linear"]
GATE_KINDS = ("softmax", "linear")


class SharedGate(nn.Module):
    """The weights alpha_k of ``E_shared = Σ_k alpha_k MLP_k(F)`` (ADI eq. 8, 9), from the domain's embedding.

    Args:
        embedding_dim: E, the length of the domain's embedding.
        num_networks: K, the number of shared networks.
        kind: "softmax", ours: the weights of a sample are positive and sum to 1. "linear", the paper's literal form:
            the raw outputs of a linear layer divided by their sum, which sum to 1 too, but may be negative, and grow
            without bound where the sum comes near 0.

    Shapes:
        f_domain (B, E) → (B, K), each row summing to 1

    Example:
        >>> import torch
        >>> gate = SharedGate(embedding_dim=3, num_networks=2, kind="softmax")
        >>> weights = gate(torch.randn(5, 3))  # (B, K)
        >>> outputs = torch.randn(5, 2, 4)  # (B, K, dim), of the shared networks
        >>> (weights.unsqueeze(-1) * outputs).sum(1).shape
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
