"""Distinct numbers and their inverse index, as in `torch.unique`, but without synchronising with a GPU.

`distinct` and `distinct_padded` do the same, the first for numbers on the CPU, the second for those on a device. A test
compares them.
"""

import torch
from torch import Tensor


def distinct(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct values of `numbers` (T,), ascending (U,), and the index of each number among them (T,) int64.

    On a device, U is T: the largest value is repeated at the end, because reading the true count would wait for all
    work queued on the device. No index points at a repetition, so that its gradient is 0.

    Example:
        >>> [part.tolist() for part in distinct(torch.tensor([7, 2, 7]))]
        [[2, 7], [1, 0, 1]]
    """
    if numbers.device.type != "cpu":
        return distinct_padded(numbers)
    unique: tuple[Tensor, Tensor] = torch.unique(numbers, return_inverse=True)
    return unique


def distinct_padded(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """`distinct` with the values padded to the length of `numbers`.

    Example:
        >>> [part.tolist() for part in distinct_padded(torch.tensor([7, 2, 7]))]
        [[2, 7, 7], [1, 0, 1]]
    """
    ascending, order = torch.sort(numbers)
    first = torch.ones_like(ascending, dtype=torch.bool)
    first[1:] = ascending[1:] != ascending[:-1]
    rank = first.cumsum(0) - 1  # index of each sorted number among the values
    values = ascending[-1:].repeat(len(ascending)).scatter_(0, rank, ascending)
    return values, torch.empty_like(rank).scatter_(0, order, rank)
