"""Vectors less their mean in the domain."""

from collections.abc import Sequence

import torch
from torch import Tensor

from adi.nn.domain_parameter import split_by_domain
from adi.nn.domain_state import DomainState, exchanged


class DomainCentering(DomainState):
    """``y = x - E[x | d]``: subtracts the mean vector of the sample's domain.

    Not in the paper. Users' vectors that are 0 on average in a domain cannot say which items are popular there, only
    which items suit one user more than another; what is popular is left to the trends, which know it at the moment.

    In training, the mean is that of the domain's rows in the batch, and a running mean is kept; in evaluation, the
    running mean is subtracted.

    Args:
        dim: width of the vectors.
        num_domains: D.
        momentum: weight of a batch in the running mean.

    Shapes:
        x (R, dim), or (R, interests, dim), D + 1 offsets -> the same shape
    """

    mean: Tensor

    def __init__(self, dim: int, num_domains: int, *, momentum: float = 0.05) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(num_domains, dim))

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        centred = []
        for domain, part in enumerate(split_by_domain(x, offsets)):
            if part.shape[0] == 0:  # len() would fix the number of rows in an exported graph
                continue
            if not self.training:
                centred.append(part - self.mean[domain])
                continue
            mean = part.flatten(0, -2).mean(dim=0)  # also over the interests of a multi-interest tower
            with torch.no_grad():
                self.mean[domain].lerp_(mean, self.momentum)
            centred.append(part - mean)
        return torch.cat(centred) if centred else x

    def exchange(self, first: int, second: int) -> None:
        self.mean = exchanged(self.mean, first, second)
