"""Linear maps of consecutive slices of rows, each with its own weight, written into one result.

`domain_product` and `domain_product_plain` compute the same. `DomainLinear` calls the first, which is faster; the
second is the readable definition, and a test compares them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class SliceParameters:
    """One parameter for each of n slices: ``values[i]`` for slice i, or ``shared + values[i]`` with a shared part."""

    values: Sequence[Tensor]
    shared: Tensor | None = None

    def __getitem__(self, i: int) -> Tensor:
        return self.values[i] if self.shared is None else self.shared + self.values[i]


def domain_product_plain(
    x: Tensor, offsets: Sequence[int], weights: SliceParameters, biases: SliceParameters | None
) -> Tensor:
    """`domain_product` by splitting x and concatenating the results."""
    parts = x.split_with_sizes(_sizes(offsets))
    return torch.cat([F.linear(x_i, weights[i], None if biases is None else biases[i]) for i, x_i in enumerate(parts)])


def domain_product(
    x: Tensor, offsets: Sequence[int], weights: SliceParameters, biases: SliceParameters | None
) -> Tensor:
    """``y = W_i x + b_i`` for the rows of slice i.

    In forward and backward, each product is written directly into its slice of the result: splitting and concatenating
    would copy y and the gradient of x once more. The sum of the shared weight and a slice's weight is computed just
    before its use, so that it stays in the processor's cache; the gradient of the shared weight accumulates over the
    slices. Not differentiable twice.

    Args:
        x: (B, in_features).
        offsets: n + 1 rising row numbers from 0 to B; slice i is rows ``offsets[i]:offsets[i + 1]``.
        weights: n of (out_features, in_features).
        biases: n of (out_features,), or None.

    Returns:
        (B, out_features)

    Example:
        >>> weights = SliceParameters(values=[torch.zeros(1, 2), torch.ones(1, 2)], shared=torch.ones(1, 2))
        >>> domain_product(torch.ones(3, 2), [0, 1, 3], weights, None).tolist()
        [[2.0], [4.0], [4.0]]
    """
    y: Tensor = _DomainProduct.apply(  # type: ignore[no-untyped-call]
        x,
        _sizes(offsets),
        weights.shared,
        None if biases is None else biases.shared,
        *weights.values,
        *(() if biases is None else biases.values),
    )
    return y


class _DomainProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, sizes: list[int], shared: Tensor | None, shared_bias: Tensor | None, *values: Tensor
    ) -> Tensor:
        weights, biases = values[: len(sizes)], values[len(sizes) :]
        y = x.new_empty(x.shape[0], weights[0].shape[0])
        parts = zip(x.split_with_sizes(sizes), y.split_with_sizes(sizes), _sums(shared, weights), strict=True)
        if biases:
            terms = torch.stack(biases) if shared_bias is None else torch.stack(biases) + shared_bias
            for (x_i, y_i, weight), bias in zip(parts, terms.unbind(), strict=True):
                torch.addmm(bias, x_i, weight.T, out=y_i)
        else:
            for x_i, y_i, weight in parts:
                torch.mm(x_i, weight.T, out=y_i)
        ctx.sizes, ctx.with_bias = sizes, bool(biases)
        ctx.save_for_backward(x, shared, *weights)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, shared, *weights = ctx.saved_tensors
        gradients = gradient.split_with_sizes(ctx.sizes)
        of_x: Tensor | None = None
        if ctx.needs_input_grad[0]:
            of_x = torch.empty_like(x)
            parts = zip(gradients, of_x.split_with_sizes(ctx.sizes), _sums(shared, weights), strict=True)
            for y_i, x_i, weight in parts:
                torch.mm(y_i, weight, out=x_i)
        of_shared = None if shared is None else torch.zeros_like(shared)
        of_weights = []
        for y_i, x_i in zip(gradients, x.split_with_sizes(ctx.sizes), strict=True):
            of_weights.append(y_i.T @ x_i)
            if of_shared is not None:
                of_shared += of_weights[-1]
        if not ctx.with_bias:
            return of_x, None, of_shared, None, *of_weights
        of_biases = _sums_of_slices(gradient, ctx.sizes)
        of_shared_bias = of_biases.sum(dim=0) if ctx.needs_input_grad[3] else None
        return of_x, None, of_shared, of_shared_bias, *of_weights, *of_biases.unbind()


def _sums(shared: Tensor | None, values: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield the weight of each slice. With a shared part, each sum overwrites the one before it in memory."""
    if shared is None:
        yield from values
    else:
        total = torch.empty_like(shared)
        for value in values:
            yield torch.add(shared, value, out=total)


def _sums_of_slices(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """The sum of the rows of each slice (n, out_features)."""
    starts = torch.tensor([0, *accumulate(sizes[:-1])]).to(x.device, non_blocking=True)
    return F.embedding_bag(torch.arange(len(x), device=x.device), x, starts, mode="sum")


def _sizes(offsets: Sequence[int]) -> list[int]:
    return [end - start for start, end in pairwise(offsets)]
