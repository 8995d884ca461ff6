"""Weighted sums of the rows of a matrix, bag by bag, with a backward as fast as they are.

`weighted_bags` and `weighted_bags_plain` are the same function. The first is what training calls; the second says what
is meant, and the first is tested against it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def weighted_bags_plain(source: Tensor, index: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """`weighted_bags` with PyTorch's own gradients."""
    return functional.embedding_bag(index, source, starts, mode="sum", per_sample_weights=weights)


def weighted_bags(source: Tensor, index: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """``y_b = sum_t weights_t source[index_t]`` over the values t of bag b; an empty bag is 0.

    The gradient of a row of `source` is such a sum too: over the values that looked it up, of their bags' gradients.
    So backward sorts the values by row and calls the same operation, where PyTorch's own walks through them one by one
    and takes five times as long. The gradient of every row is whole, and 0 for one that was not looked up: `source` is
    to hold little more than what is. Not differentiable twice.

    Args:
        source: (n, E).
        index: (T,) int32 or int64, the values of all bags; int32 is twice as fast.
        starts: (B,) of the same type, where in `index` each bag begins.
        weights: (T,).

    Returns:
        (B, E)

    Example:
        >>> source, index, starts = torch.eye(2), torch.tensor([0, 1, 1]), torch.tensor([0, 2, 2])
        >>> weighted_bags(source, index, starts, torch.tensor([0.5, 1.0, 3.0])).tolist()
        [[0.5, 1.0], [0.0, 0.0], [0.0, 3.0]]
    """
    y: Tensor = _WeightedBags.apply(source, index, starts, weights)  # type: ignore[no-untyped-call]
    return y


class _WeightedBags(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, source: Tensor, index: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(source, index, starts, weights)
        return weighted_bags_plain(source, index, starts, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        source, index, starts, weights = ctx.saved_tensors
        gradient = gradient.contiguous()
        lengths = torch.diff(starts, append=starts.new_full((1,), len(index)))
        numbers = torch.arange(len(starts), dtype=index.dtype, device=index.device)
        bag = torch.repeat_interleave(numbers, lengths, output_size=len(index))  # (T,)
        of_source = of_weights = None
        if ctx.needs_input_grad[0]:
            by_row, order = torch.sort(index)
            rows = torch.arange(len(source), dtype=index.dtype, device=index.device)
            first = torch.searchsorted(by_row, rows, out_int32=index.dtype == torch.int32)  # (n,)
            of_source = weighted_bags_plain(gradient, bag[order], first, weights.index_select(0, order))
        if ctx.needs_input_grad[3]:
            of_weights = torch.ops.aten._embedding_bag_per_sample_weights_backward(
                gradient, source, index, starts, bag, 0
            )
        return of_source, None, None, of_weights
