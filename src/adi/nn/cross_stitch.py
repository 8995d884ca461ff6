"""The cross-stitch unit: learned mixing of the outputs of several networks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class CrossStitch(nn.Module):
    """``x'_i = Σ_j A_ij x_j`` for the outputs x_j of n networks, with one learned n x n matrix A.

    The unit of "Cross-stitch Networks for Multi-task Learning" (CVPR 2016; ADI section 5.1.2), with one weight per pair
    of networks. A is initialised to ``self_weight I + (1 - self_weight) / n``: mostly a network's own output, in rows
    that sum to 1. With two networks, the default gives the 0.9 and 0.1 of that paper.

    Args:
        num_networks: n.
        self_weight: initial weight of the identity matrix in A; the rest is spread evenly over all networks.

    Shapes:
        outputs n of (B, dim) → n of (B, dim)

    Example:
        >>> stitch = CrossStitch(2, self_weight=0.5)
        >>> [mixed.tolist() for mixed in stitch([torch.tensor([[1.0]]), torch.tensor([[3.0]])])]
        [[[1.5]], [[2.5]]]
    """

    def __init__(self, num_networks: int, *, self_weight: float = 0.8) -> None:
        super().__init__()
        self.weight = nn.Parameter(self_weight * torch.eye(num_networks) + (1 - self_weight) / num_networks)

    def forward(self, outputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        mixed = torch.einsum("ij,jbh->ibh", self.weight, torch.stack(list(outputs)))  # (n, B, dim)
        return mixed.unbind()
