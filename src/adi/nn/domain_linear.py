"""A domain-specific linear layer."""

import math
from collections.abc import Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from adi.nn.domain_parameter import DomainParameter, Initialiser, by_domain, domains_present
from adi.nn.domain_product import domain_product


class DomainLinear(nn.Module):
    """``y = W^(d) x + b^(d)`` for the samples of domain d.

    It makes up the domain-specific networks (ADI eq. 10), the gates of the fusion layer (eq. 11, 12, 14) and the
    domain-specific forward network (eq. 18).

    Args:
        in_features, out_features: widths of x and y.
        num_domains: D.
        bias: whether to add b.
        shrinkage: see `DomainParameter`; it applies to W and b.
        weight_init, bias_init: fill W, of shape (out_features, in_features), and b, of shape (out_features,). Default:
            uniform within ±1/√in_features, as in `torch.nn.Linear`.

    Shapes:
        x (B, in_features), domain-major with `offsets` (D + 1) → (B, out_features)

    Example:
        >>> import torch
        >>> layer = DomainLinear(4, 2, num_domains=3)
        >>> layer(torch.randn(5, 4), [0, 2, 2, 5]).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        num_domains: int,
        *,
        bias: bool = True,
        shrinkage: bool = False,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        super().__init__()
        self.out_features = out_features
        bound = 1 / math.sqrt(in_features)
        uniform = partial(nn.init.uniform_, a=-bound, b=bound)
        self.weight = DomainParameter(
            (out_features, in_features), num_domains, shrinkage=shrinkage, init=weight_init or uniform
        )
        self.bias = (
            DomainParameter((out_features,), num_domains, shrinkage=shrinkage, init=bias_init or uniform)
            if bias
            else None
        )

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        present = domains_present(x, offsets)
        if len(present) < 2:
            weight, bias = self.weight, self.bias
            return by_domain(offsets, lambda d, _: F.linear(x, weight(d), None if bias is None else bias(d)))
        return domain_product(
            x,
            [offsets[d] for d in present] + [len(x)],
            self.weight.of_slices(present),
            None if self.bias is None else self.bias.of_slices(present),
        )
