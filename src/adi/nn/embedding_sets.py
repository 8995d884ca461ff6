"""Embedding sets: an embedding in several parts, each with a network of its own (Guo et al. 2024, arXiv:2310.04400)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class EmbeddingSets(nn.Module):
    """Backbones side by side: each gets its part of every embedding, and makes its part of the vector.

    Args:
        backbones: S of them, from (x (R, F, E / S), f_domain (R, E / S), offsets) to (R, dim / S) each.

    Shapes:
        x (R, F, E), f_domain (R, E), D + 1 offsets -> (R, dim)
    """

    def __init__(self, backbones: Sequence[nn.Module]) -> None:
        super().__init__()
        self.of_set = nn.ModuleList(backbones)

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Sequence[int]) -> Tensor:
        count = len(self.of_set)
        parts = zip(self.of_set, x.chunk(count, dim=-1), f_domain.chunk(count, dim=-1), strict=True)
        return torch.cat([backbone(own, domain, offsets) for backbone, own, domain in parts], dim=-1)
