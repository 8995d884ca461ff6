"""Vectors less their mean in the domain."""

from collections.abc import Sequence

import torch
from torch import Tensor

from adi.nn.domain_parameter import split_by_domain
from adi.nn.domain_state import DomainState, exchanged
from adi.nn.synchronised import Synchronised


class DomainCentering(Synchronised, DomainState):
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
        parts = split_by_domain(x, offsets)
        means = self._means(parts) if self.training else self.mean
        centred = [
            part - means[domain]
            for domain, part in enumerate(parts)
            if part.shape[0] != 0  # len() would fix the number of rows in an exported graph
        ]
        return torch.cat(centred) if centred else x

    def _means(self, parts: Sequence[Tensor]) -> Sequence[Tensor] | Tensor:
        """The mean of each domain's rows in the batch; moves the running means towards them."""
        vectors = [part.flatten(0, -2) for part in parts]  # also the interests of a multi-interest tower
        seen = [domain for domain, part in enumerate(vectors) if len(part)]
        means: Sequence[Tensor] | Tensor = [part.mean(dim=0) for part in vectors]
        if self.processes.several:
            counts = self.processes.total(torch.tensor([len(part) for part in vectors], device=vectors[0].device))
            if not counts.any():
                return means
            sums = self.processes.sum(torch.stack([part.double().sum(dim=0) for part in vectors]))
            means = (sums / counts.clamp(min=1)[:, None]).to(vectors[0].dtype)
            seen = counts.nonzero()[:, 0].tolist()
        with torch.no_grad():
            for domain in seen:
                self.mean[domain].lerp_(means[domain], self.momentum)
        return means

    def exchange(self, first: int, second: int) -> None:
        self.mean = exchanged(self.mean, first, second)
