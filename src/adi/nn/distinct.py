"""The different numbers among many, without waiting for a GPU to say how many there are.

`distinct` and `distinct_padded` do the same work, the first where the host has the numbers, the second where a device
has them; a test holds the second to the first.
"""

import torch
from torch import Tensor


def distinct(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """The different ones among `numbers` (T,), ascending (U,), and which of them each is (T,) int64.

    On a device U is T, the largest number repeated at the end: their true count would have to be fetched from it, and
    all that is under way there waited for. No place points at a repetition, so that its gradient is 0.

    Example:
        >>> [own.tolist() for own in distinct(torch.tensor([7, 2, 7]))]
        [[2, 7], [1, 0, 1]]
    """
    if numbers.device.type != "cpu":
        return distinct_padded(numbers)
    found: tuple[Tensor, Tensor] = torch.unique(numbers, return_inverse=True)
    return found


def distinct_padded(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """`distinct` with as many numbers as it was given.

    Example:
        >>> [own.tolist() for own in distinct_padded(torch.tensor([7, 2, 7]))]
        [[2, 7, 7], [1, 0, 1]]
    """
    ascending, order = torch.sort(numbers)
    first = torch.ones_like(ascending, dtype=torch.bool)
    first[1:] = ascending[1:] != ascending[:-1]
    place = first.cumsum(0) - 1  # of each number, in the result
    found = ascending[-1:].repeat(len(ascending)).scatter_(0, place, ascending)
    return found, torch.empty_like(place).scatter_(0, order, place)
