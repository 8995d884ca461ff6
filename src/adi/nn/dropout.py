"""Dropout with four random numbers per draw."""

import torch
from torch import Tensor, nn

LEVELS = 1 << 16


class Dropout(nn.Module):
    """In training, zeroes each value independently with probability p, and scales the others by 1 / (1 - p).

    Equal to `torch.nn.Dropout` in distribution, in a quarter of the time on a CPU, where drawing the random numbers
    costs more than the rest of a layer: one draw of 64 bits decides four values. p is rounded to a multiple of
    1 / 65,536, and the scale uses the rounded p.

    Args:
        p: in [0, 1).

    Shapes:
        x of any shape -> the same
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropped = round(p * LEVELS)
        """The number of levels, out of 65,536 equally likely ones, that zero a value."""
        if not 0 <= self.dropped < LEVELS:
            raise ValueError(f"dropout: p is {p}; it must be at least 0 and less than 1")

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.dropped):
            return x
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device).random_(-(1 << 63), None)
        levels = words.view(torch.int16)[: x.numel()].view(x.shape)  # -32,768 … 32,767
        scale = torch.ge(levels, self.dropped - LEVELS // 2, out=x.new_empty(x.shape))
        return x * scale.mul_(LEVELS / (LEVELS - self.dropped))

    def extra_repr(self) -> str:
        return f"p={self.dropped / LEVELS:.4g}"
