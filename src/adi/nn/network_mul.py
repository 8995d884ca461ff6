"""NETWORK-MUL, the topology of STAR: a linear layer whose weight is a shared one times a domain-specific one."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adi.nn.domain_parameter import DomainParameter, by_domain, split_by_domain


class NetworkMulLinear(nn.Module):
    """``y = (W ⊙ W^(d)) x + b + b^(d)`` for the samples of domain d (ADI eq. 16, 17).

    A `DomainMLP` of these layers, in place of `DomainLinear`, combines the shared network, the domain-specific networks
    and their fusion. W^(d) starts at 1 and b^(d) at 0, so that every domain starts with the shared network. The product
    is computed once per domain of a batch, not per sample.

    Args:
        in_features, out_features: widths of x and y.
        num_domains: D.
        shrinkage: see `DomainParameter`; it applies to W^(d) and b^(d), whose shared parts start at 1 and 0.

    Shapes:
        x (B, in_features), domain-major with `offsets` (D + 1) → (B, out_features)

    Example:
        >>> layer = NetworkMulLinear(4, 2, num_domains=3)
        >>> layer(torch.randn(5, 4), [0, 2, 2, 5]).shape
        torch.Size([5, 2])
    """

    def __init__(self, in_features: int, out_features: int, num_domains: int, *, shrinkage: bool = False) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_features)
        shape = (out_features, in_features)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-bound, bound))
        self.factor = DomainParameter(shape, num_domains, shrinkage=shrinkage, init=nn.init.ones_)
        self.term = DomainParameter((out_features,), num_domains, shrinkage=shrinkage, init=nn.init.zeros_)

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        parts = split_by_domain(x, offsets)
        return by_domain(
            offsets, lambda d, _: F.linear(parts[d], self.weight * self.factor(d), self.bias + self.term(d))
        )
