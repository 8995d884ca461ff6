"""Domain-specific batch normalisation (DSBN)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adi.nn.domain_parameter import DomainParameter, by_domain, split_by_domain
from adi.nn.domain_state import DomainState, exchanged
from adi.nn.synchronised import Synchronised


class DomainNorm(Synchronised, DomainState):
    """DSBN (ADI eq. 19, 20): ``scale^(d) (x - mean^(d)) / √(variance^(d) + eps) + shift^(d)`` for samples of domain d.

    In training, mean and (biased) variance are those of the domain's rows in the batch, and the domain's running
    statistics move towards them by `momentum` (with the unbiased variance). In inference, the running statistics are
    used.

    A domain with 0 or 1 rows in a batch has no variance, a case that the paper does not cover. Such a domain is
    normalised by its running statistics, which stay unchanged.

    With ``num_domains=1`` and offsets ``(0, B)``, this is ordinary batch normalisation that also accepts a batch of one
    row.

    Args:
        num_features: width of x.
        num_domains: D.
        momentum: weight of the batch's statistics in the update of the running ones, 0 … 1.
        eps: added to the variance.
        shrinkage: see `DomainParameter`; it applies to scale and shift, never to the statistics.

    Shapes:
        x (B, num_features), domain-major with `offsets` (D + 1) → (B, num_features)

    Example:
        >>> norm = DomainNorm(1, num_domains=2)
        >>> norm(torch.tensor([[1.0], [3.0], [10.0], [50.0]]), [0, 2, 4]).round(decimals=3).flatten().tolist()
        [-1.0, 1.0, -1.0, 1.0]
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(
        self,
        num_features: int,
        num_domains: int,
        *,
        momentum: float = 0.1,
        eps: float = 1e-5,
        shrinkage: bool = False,
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.scale = DomainParameter((num_features,), num_domains, shrinkage=shrinkage, init=nn.init.ones_)
        self.shift = DomainParameter((num_features,), num_domains, shrinkage=shrinkage, init=nn.init.zeros_)
        self.register_buffer("running_mean", torch.zeros(num_domains, num_features))
        self.register_buffer("running_variance", torch.ones(num_domains, num_features))

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        parts = split_by_domain(x, offsets)
        if self.training and self.processes.several:
            return self._normalise_together(parts, offsets)
        return by_domain(offsets, lambda d, _: self._normalise(parts[d], d))

    def exchange(self, first: int, second: int) -> None:
        self.running_mean = exchanged(self.running_mean, first, second)
        self.running_variance = exchanged(self.running_variance, first, second)

    def _normalise(self, x: Tensor, domain: int) -> Tensor:
        mean, variance = self.running_mean[domain], self.running_variance[domain]  # views: batch_norm updates them
        learns = self.training and x.shape[0] > 1
        if not learns:
            # Backward needs these values, which a later call with more rows may overwrite before backward runs.
            mean, variance = mean.clone(), variance.clone()
        return F.batch_norm(
            x, mean, variance, self.scale(domain), self.shift(domain), learns, momentum=self.momentum, eps=self.eps
        )

    def _normalise_together(self, parts: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
        """The same in training, with the statistics of the rows of all processes."""
        doubles = [part.double() for part in parts]
        local_sums = [torch.cat([part.sum(dim=0), part.square().sum(dim=0)]) for part in doubles]
        counts = self.processes.total(torch.tensor([len(part) for part in parts], device=parts[0].device))
        if not (counts > 1).any():
            return by_domain(offsets, lambda domain, _: self._normalise(parts[domain], domain))
        # (D, 2 num_features) in double precision, for the difference below
        sums = self.processes.sum(torch.stack(local_sums))
        means, squares = (sums / counts.clamp(min=1)[:, None]).chunk(2, dim=1)
        variances = squares - means.square()

        def normalised(domain: int) -> Tensor:
            n = int(counts[domain])
            if n < 2:
                return self._normalise(parts[domain], domain)
            mean, variance = means[domain], variances[domain].clamp(min=0)
            scaled = (parts[domain] - mean) * torch.rsqrt(variance + self.eps)
            y: Tensor = scaled.to(parts[domain].dtype) * self.scale(domain) + self.shift(domain)
            return y

        with torch.no_grad():
            for domain, n in enumerate(counts.tolist()):
                if n > 1:
                    self.running_mean[domain].lerp_(means[domain].float(), self.momentum)
                    self.running_variance[domain].lerp_((variances[domain] * n / (n - 1)).float(), self.momentum)
        return by_domain(offsets, lambda domain, _: normalised(domain))
