"""The residual path of a tower: a weighted sum of its features, past the networks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adi.nn.domain_parameter import DomainParameter


class FeatureSum(nn.Module):
    """``y = P sum_f r_f^(d) F_f``, with r starting at 1 and P the identity where dim == embedding_dim.

    Not in the paper. Where clicks are few, networks overfit, and the sum of the features alone is a strong model (with
    a pooled history it is a factored item-to-item similarity); the networks then learn only what it misses.

    Args:
        num_features: F.
        embedding_dim: E.
        dim: of the output; another than E takes a learned projection P.
        num_domains: D; 1 shares the weights r among all domains.
        shrinkage: see `DomainParameter`.

    Shapes:
        x (R, F, E), D + 1 offsets -> (R, dim)
    """

    def __init__(
        self, num_features: int, embedding_dim: int, dim: int, num_domains: int = 1, *, shrinkage: bool = False
    ) -> None:
        super().__init__()
        self.num_domains = num_domains
        self.weight = DomainParameter((num_features,), num_domains, shrinkage=shrinkage, init=nn.init.ones_)
        self.project = nn.Identity() if dim == embedding_dim else nn.Linear(embedding_dim, dim, bias=False)

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        if self.num_domains == 1:
            offsets = (0, x.shape[0])
        weights = self.weight.of_rows(offsets)  # (R, F)
        projected: Tensor = self.project(torch.bmm(weights[:, None], x).squeeze(1))
        return projected
