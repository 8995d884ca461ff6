"""The fusion layer: joins the outputs of the domain-specific and the shared networks.

Both variants take `specific` and `shared` (B, dim) and the embedding of each sample's domain `f_domain` (B, E),
domain-major with `offsets` (D + 1), and return (B, out_features). The paper's third variant, Network-Mul, also replaces
the networks: `adi.nn.network_mul`.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from adi.errors import AdiError, suggestion
from adi.nn.domain_linear import DomainLinear

FusionGate = Literal["scalar", "vector"]
FUSION_GATES = ("scalar", "vector")


class ConcatFusion(nn.Module):
    """CONCAT (ADI eq. 11 - 13), the variant that the paper chooses.

    ``[β1 specific | β1 specific ⊙ β2 shared | β2 shared]``, where ``β1 = σ(W_spec^(d) f_domain)`` and
    ``β2 = σ(W_shared^(d) f_domain)``.

    Args:
        dim: width of `specific` and of `shared`.
        embedding_dim: E.
        num_domains: D.
        gate: "scalar": β1 and β2 are one number per sample; "vector": one number per output. The paper does not
            specify it; its released script uses a scalar.
        shrinkage: see `DomainParameter`.

    Shapes:
        specific, shared (B, dim), f_domain (B, E) → (B, 3 dim)

    Example:
        >>> fusion = ConcatFusion(4, embedding_dim=3, num_domains=2)
        >>> fusion(torch.randn(5, 4), torch.randn(5, 4), torch.randn(5, 3), [0, 1, 5]).shape
        torch.Size([5, 12])
    """

    def __init__(
        self, dim: int, embedding_dim: int, num_domains: int, *, gate: FusionGate = "scalar", shrinkage: bool = False
    ) -> None:
        super().__init__()
        if gate not in FUSION_GATES:
            raise AdiError(f"gate '{gate}' is not one of {', '.join(FUSION_GATES)}.{suggestion(gate, FUSION_GATES)}")
        self.out_features = 3 * dim
        width = 1 if gate == "scalar" else dim
        self.specific_gate = DomainLinear(embedding_dim, width, num_domains, bias=False, shrinkage=shrinkage)
        self.shared_gate = DomainLinear(embedding_dim, width, num_domains, bias=False, shrinkage=shrinkage)

    def forward(self, specific: Tensor, shared: Tensor, f_domain: Tensor, offsets: Sequence[int]) -> Tensor:
        specific = self.specific_gate(f_domain, offsets).sigmoid() * specific  # (B, dim)
        shared = self.shared_gate(f_domain, offsets).sigmoid() * shared  # (B, dim)
        return torch.cat((specific, specific * shared, shared), dim=-1)  # (B, 3 dim)


class SumFusion(nn.Module):
    """SUM (ADI eq. 14, 15): ``a specific + (1 - a) shared``, with a scalar ``a = σ(W^(d) f_domain + b)`` per sample.

    As in the paper, each domain has its own W, and all domains share b, which starts at 0.

    Args:
        dim: width of `specific` and of `shared`.
        embedding_dim: E.
        num_domains: D.
        shrinkage: see `DomainParameter`.

    Shapes:
        specific, shared (B, dim), f_domain (B, E) → (B, dim)

    Example:
        >>> fusion = SumFusion(4, embedding_dim=3, num_domains=2)
        >>> fusion(torch.randn(5, 4), torch.randn(5, 4), torch.randn(5, 3), [0, 1, 5]).shape
        torch.Size([5, 4])
    """

    def __init__(self, dim: int, embedding_dim: int, num_domains: int, *, shrinkage: bool = False) -> None:
        super().__init__()
        self.out_features = dim
        self.gate = DomainLinear(embedding_dim, 1, num_domains, bias=False, shrinkage=shrinkage)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, specific: Tensor, shared: Tensor, f_domain: Tensor, offsets: Sequence[int]) -> Tensor:
        a: Tensor = (self.gate(f_domain, offsets) + self.bias).sigmoid()  # (B, 1)
        return a * specific + (1 - a) * shared
