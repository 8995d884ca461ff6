"""Weighted sums of rows of a matrix by bag, with a backward as fast as the forward.

`weighted_bags` and `weighted_bags_plain` compute the same. Training calls the first, which is faster; the second is the
readable definition, and a test compares them.
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
    """``y_b = sum_t weights_t source[index_t]`` over the values t of bag b; 0 for an empty bag.

    The gradient of a row of `source` is a sum of the same form: over the values that looked the row up, of the
    gradients of their bags. Backward therefore sorts the values by row and calls the same operation. PyTorch's own
    backward visits the values one by one and takes five times as long. The gradient of `source` is dense, so `source`
    should hold little more than the rows that are looked up. Not differentiable twice.

    Args:
        source: (n, E).
        index: (T,) int32 or int64, the values of all bags; int32 is twice as fast.
        starts: (B,) of the same type, the position in `index` at which each bag begins.
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
