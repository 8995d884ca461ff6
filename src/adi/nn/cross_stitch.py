"""The cross-stitch unit: mixes what the networks of all domains made of a sample."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class CrossStitch(nn.Module):
    """``x'_i = Σ_j A_ij x_j`` for the outputs x_j of n networks, with one learned n x n matrix A.

    The unit of "Cross-stitch Networks for Multi-task Learning" (CVPR 2016; ADI section 5.1.2), with one weight for all
    numbers of an output. A starts as ``own I + (1 - own) / n``: mostly a network's own output, and rows that sum to 1.
    For two networks the default is the 0.9 and 0.1 of that paper.

    Args:
        num_networks: n.
        own: the share of a network's own output at the start, beside the equal share in all.

    Shapes:
        outputs n of (B, dim) → n of (B, dim)

    Example:
        >>> stitch = CrossStitch(2, own=0.5)
        >>> [mixed.tolist() for mixed in stitch([torch.tensor([[1.0]]), torch.tensor([[3.0]])])]
        [[[1.5]], [[2.5]]]
    """

    def __init__(self, num_networks: int, *, own: float = 0.8) -> None:
        super().__init__()
        self.weight = nn.Parameter(own * torch.eye(num_networks) + (1 - own) / num_networks)

    def forward(self, outputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        mixed = torch.einsum("ij,jbh->ibh", self.weight, torch.stack(list(outputs)))  # (n, B, dim)
        return mixed.unbind()
