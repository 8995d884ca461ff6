"""The residual path of a tower: a weighted sum of its features that bypasses the networks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adi.nn.domain_parameter import DomainParameter


class FeatureSum(nn.Module):
    """``y = P sum_f r_f^(d) F_f``, where r starts at 1 and P is the identity if dim == embedding_dim.

    Not in the paper. With few clicks, networks overfit, and the sum of the features is a strong model on its own (with
    a pooled history, a factorised item-to-item similarity); the networks then only learn what it misses.

    Args:
        num_features: F.
        embedding_dim: E.
        dim: width of the output; if it differs from E, P is a learned projection.
        num_domains: D; with 1, all domains share the weights r.
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
