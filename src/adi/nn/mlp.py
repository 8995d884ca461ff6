"""Multilayer perceptrons, shared by all domains or domain-specific."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from adi.errors import AdiError, suggestion
from adi.nn.domain_linear import DomainLinear
from adi.nn.domain_norm import DomainNorm
from adi.nn.dropout import Dropout

Norm = Literal["none", "batch", "domain"]
NORMS = ("none", "batch", "domain")


class Normalisation(nn.Module):
    """The normalisation between a linear layer and its ReLU.

    Args:
        norm: "none": the identity. "batch": batch normalisation over the mixed batch of all domains; it uses the
            running statistics if the batch has fewer than two rows. "domain": DSBN, see `DomainNorm`.
        num_features: width of x.
        num_domains: D.
        shrinkage: see `DomainNorm`; only "domain" has the domain-specific weights that it applies to.

    Shapes:
        x (B, num_features), domain-major with `offsets` (D + 1) → (B, num_features)
    """

    def __init__(self, norm: Norm, num_features: int, num_domains: int, *, shrinkage: bool = False) -> None:
        super().__init__()
        if norm not in NORMS:
            raise AdiError(f"norm '{norm}' is not one of {', '.join(NORMS)}.{suggestion(norm, NORMS)}")
        self.per_domain = norm == "domain"
        self.norm: DomainNorm | None = None
        if self.per_domain:
            self.norm = DomainNorm(num_features, num_domains, shrinkage=shrinkage)
        elif norm == "batch":
            self.norm = DomainNorm(num_features, num_domains=1)

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        if self.norm is None:
            return x
        normalised: Tensor = self.norm(x, offsets if self.per_domain else (0, x.shape[0]))
        return normalised


class MLP(nn.Module):
    """A network shared by all domains (ADI eq. 9): linear, normalisation, ReLU and dropout per layer.

    Args:
        in_features: width of x.
        sizes: width of each layer; an empty sequence makes the network the identity.
        norm: see `Normalisation`.
        dropout: probability of zeroing an output of a layer, in training.
        num_domains: D; used only by ``norm="domain"``.

    Shapes:
        x (B, in_features), domain-major with `offsets` (D + 1) → (B, out_features), the last of `sizes`

    Example:
        >>> import torch
        >>> network = MLP(6, (4, 2), norm="domain", dropout=0.1, num_domains=3)
        >>> network(torch.randn(5, 6), [0, 2, 2, 5]).shape
        torch.Size([5, 2])
    """

    def __init__(
        self, in_features: int, sizes: Sequence[int], *, norm: Norm = "none", dropout: float = 0.0, num_domains: int
    ) -> None:
        super().__init__()
        widths = (in_features, *sizes)
        self.out_features = widths[-1]
        self.linears = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.norms = nn.ModuleList(Normalisation(norm, size, num_domains) for size in sizes)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = self.dropout(F.relu(norm(linear(x), offsets)))
        return x


class DomainMLP(nn.Module):
    """A network per domain (ADI eq. 10): like `MLP`, but each sample runs only the layers of its own domain.

    Args:
        in_features, sizes, dropout: see `MLP`.
        norm: see `Normalisation`. "batch" normalises the outputs of all domains together: the paper's ADI without DSBN.
        num_domains: D.
        shrinkage: see `DomainParameter`; it applies to every domain-specific weight.
        linear: the class of the linear layers, `DomainLinear` or `adi.nn.network_mul.NetworkMulLinear`.

    Shapes:
        x (B, in_features), domain-major with `offsets` (D + 1) → (B, out_features), the last of `sizes`

    Example:
        >>> import torch
        >>> network = DomainMLP(6, (4, 2), norm="domain", num_domains=3)
        >>> network(torch.randn(5, 6), [0, 2, 2, 5]).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        in_features: int,
        sizes: Sequence[int],
        *,
        norm: Norm = "none",
        dropout: float = 0.0,
        num_domains: int,
        shrinkage: bool = False,
        linear: Callable[..., nn.Module] = DomainLinear,
    ) -> None:
        super().__init__()
        widths = (in_features, *sizes)
        self.out_features = widths[-1]
        self.linears = nn.ModuleList(
            linear(before, after, num_domains, shrinkage=shrinkage) for before, after in pairwise(widths)
        )
        self.norms = nn.ModuleList(Normalisation(norm, size, num_domains, shrinkage=shrinkage) for size in sizes)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        for linear, norm in zip(self.linears, self.norms, strict=True):
            x = self.dropout(F.relu(norm(linear(x, offsets), offsets)))
        return x
