"""The domain interest adaptation layer (DIAL): domain-specific weights for the embedded features.

All variants take the embedded features x (B, F, E), domain-major with `offsets` (D + 1), and return (B, F, E).
Where the paper does not specify the initialisation, ours is neutral: all features have equal weights in all domains.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from adi.errors import AdiError, suggestion
from adi.nn.domain_linear import DomainLinear
from adi.nn.domain_parameter import DomainParameter, by_domain, split_by_domain

Adaptation = Literal["none", "linear", "attention", "se", "se-global"]
ADAPTATIONS = ("none", "linear", "attention", "se", "se-global")


class FeatureWeighting(nn.Module, ABC):
    """A layer that multiplies each feature of a sample by one weight."""

    @abstractmethod
    def weights(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        """The weight of each feature of each sample, (B, F): the heat map of the paper's Fig. 5."""

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        return x * self.weights(x, offsets).unsqueeze(-1)


class NoAdaptation(nn.Module):
    """The identity: the paper's ADI without DIAL."""

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        return x


class LinearAdaptation(nn.Module):
    """ADI-LT (eq. 21, 22): ``W^(d) ⊙ x + b^(d)``, with W and b of shape (F, E). It starts as the identity.

    Args:
        num_features: F.
        embedding_dim: E.
        num_domains: D.
        shrinkage: see `DomainParameter`.

    Example:
        >>> import torch
        >>> layer = LinearAdaptation(num_features=2, embedding_dim=3, num_domains=2)
        >>> layer(torch.ones(5, 2, 3), [0, 1, 5]).shape
        torch.Size([5, 2, 3])
    """

    def __init__(self, num_features: int, embedding_dim: int, num_domains: int, *, shrinkage: bool = False) -> None:
        super().__init__()
        shape = (num_features, embedding_dim)
        self.weight = DomainParameter(shape, num_domains, shrinkage=shrinkage, init=nn.init.ones_)
        self.bias = DomainParameter(shape, num_domains, shrinkage=shrinkage, init=nn.init.zeros_)

    def forward(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        parts = split_by_domain(x, offsets)
        return by_domain(offsets, lambda d, _: parts[d] * self.weight(d) + self.bias(d))


class AttentionAdaptation(FeatureWeighting):
    """ADI-VA (eq. 23, 24): multiplies feature i by ``σ(<Q_i^(d), x_i>)``, with queries Q_i^(d) of length E.

    The queries start at 0, so that every feature starts with weight 1/2.

    Args:
        num_features: F.
        embedding_dim: E.
        num_domains: D.
        shrinkage: see `DomainParameter`.

    Example:
        >>> import torch
        >>> layer = AttentionAdaptation(num_features=2, embedding_dim=3, num_domains=2)
        >>> layer.weights(torch.randn(1, 2, 3), [0, 0, 1]).tolist()
        [[0.5, 0.5]]
    """

    def __init__(self, num_features: int, embedding_dim: int, num_domains: int, *, shrinkage: bool = False) -> None:
        super().__init__()
        shape = (num_features, embedding_dim)
        self.query = DomainParameter(shape, num_domains, shrinkage=shrinkage, init=nn.init.zeros_)

    def weights(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        parts = split_by_domain(x, offsets)
        return by_domain(offsets, lambda d, _: (parts[d] * self.query(d)).sum(-1)).sigmoid()


class SEAdaptation(FeatureWeighting):
    """ADI-SE (eq. 25, 26): multiplies feature i by output i of ``FC(ReLU(FC(z)))``; z_i is the mean of x_i over E.

    The last FC starts with weight 0 and bias 1, so that the block starts as the identity. The paper has no sigmoid at
    the end and does not specify the initialisation; a usual one would scale all features to near zero.

    Args:
        num_features: F.
        num_domains: D.
        reduction: the hidden width is max(1, F // reduction). The paper does not specify it.
        per_domain: True: a block per domain (D-SE, the paper's choice). False: one block for all domains (1-SE); also
            used for the block of a single network (4-SE).
        sigmoid: apply a sigmoid to the last FC, as SE-Net does; every feature then starts with weight σ(1) = 0.73.
        shrinkage: see `DomainParameter`; without effect on a block for all domains, which has no domain-specific
            weights.

    Example:
        >>> import torch
        >>> layer = SEAdaptation(num_features=4, num_domains=2)
        >>> layer.weights(torch.randn(1, 4, 3), [0, 0, 1]).tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """

    def __init__(
        self,
        num_features: int,
        num_domains: int,
        *,
        reduction: int = 2,
        per_domain: bool = True,
        sigmoid: bool = False,
        shrinkage: bool = False,
    ) -> None:
        super().__init__()
        self.per_domain = per_domain
        self.sigmoid = sigmoid
        blocks = num_domains if per_domain else 1
        hidden = max(1, num_features // reduction)
        shrinks = shrinkage and per_domain
        self.squeeze = DomainLinear(num_features, hidden, blocks, shrinkage=shrinks)
        self.excite = DomainLinear(
            hidden, num_features, blocks, shrinkage=shrinks, weight_init=nn.init.zeros_, bias_init=nn.init.ones_
        )

    def weights(self, x: Tensor, offsets: Sequence[int]) -> Tensor:
        blocks = offsets if self.per_domain else (0, x.shape[0])
        means = x.sum(-1) / x.shape[-1]  # (B, F); unlike x.mean(-1), its gradient is expanded without a copy
        weights: Tensor = self.excite(F.relu(self.squeeze(means, blocks)), blocks)
        return weights.sigmoid() if self.sigmoid else weights


def interest_adaptation(
    kind: Adaptation,
    *,
    num_features: int,
    embedding_dim: int,
    num_domains: int,
    reduction: int = 2,
    sigmoid: bool = False,
    shrinkage: bool = False,
) -> nn.Module:
    """Build the adaptation layer of the given kind, to be called as ``layer(x, offsets)``.

    `reduction` and `sigmoid` are options of the SE blocks ("se": one per domain, "se-global": one for all domains).

    Raises `AdiError` for an unknown kind.
    """
    match kind:
        case "none":
            return NoAdaptation()
        case "linear":
            return LinearAdaptation(num_features, embedding_dim, num_domains, shrinkage=shrinkage)
        case "attention":
            return AttentionAdaptation(num_features, embedding_dim, num_domains, shrinkage=shrinkage)
        case "se" | "se-global":
            return SEAdaptation(
                num_features,
                num_domains,
                reduction=reduction,
                per_domain=kind == "se",
                sigmoid=sigmoid,
                shrinkage=shrinkage,
            )
    raise AdiError(
        f"interest adaptation '{kind}' is not one of {', '.join(ADAPTATIONS)}.{suggestion(kind, ADAPTATIONS)}"
    )
