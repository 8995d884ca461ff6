"""Initial weights of tables that are too large to draw at once."""

from collections.abc import Iterator

import torch
from torch import Tensor


def normal_rows(rows: int, width: int, std: float, at_once: int) -> Iterator[tuple[int, Tensor]]:
    """The rows of ``torch.empty(rows, width).normal_(std=std)``, a block at a time: the number of the first, and them.

    A block has a multiple of 16 numbers, which PyTorch draws together, and the last block is no smaller.
    """
    first = 0
    while first < rows:
        size = at_once if rows - first >= 2 * at_once else rows - first
        yield first, torch.empty(size, width).normal_(std=std)
        first += size
