"""Embedding sets: embeddings split into parts, each with its own network (Guo et al. 2024, arXiv:2310.04400)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class EmbeddingSets(nn.Module):
    """Backbones side by side: each maps one part of every embedding to one part of the vector.

    Args:
        backbones: S modules that map (x (R, F, E / S), f_domain (R, E / S), offsets) to (R, dim / S).

    Shapes:
        x (R, F, E), f_domain (R, E), D + 1 offsets -> (R, dim)
    """

    def __init__(self, backbones: Sequence[nn.Module]) -> None:
        super().__init__()
        self.of_set = nn.ModuleList(backbones)

    def forward(self, x: Tensor, f_domain: Tensor, offsets: Sequence[int]) -> Tensor:
        count = len(self.of_set)
        parts = zip(self.of_set, x.chunk(count, dim=-1), f_domain.chunk(count, dim=-1), strict=True)
        return torch.cat([backbone(x_s, f_domain_s, offsets) for backbone, x_s, f_domain_s in parts], dim=-1)
