"""Products of slices of rows, each with a weight of its own, written one after the other into one result.

`domain_product` and `domain_product_plain` are the same function. The first is what `DomainLinear` calls in training;
the second says what is meant, and the first is tested against it.
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
    """One parameter of n slices: that of slice i is ``own[i]``, or ``shared + own[i]`` where there is a shared one."""

    own: Sequence[Tensor]
    shared: Tensor | None = None

    def __getitem__(self, i: int) -> Tensor:
        return self.own[i] if self.shared is None else self.shared + self.own[i]


def domain_product_plain(
    x: Tensor, offsets: Sequence[int], weights: SliceParameters, biases: SliceParameters | None
) -> Tensor:
    """`domain_product` by splitting x and joining the results."""
    parts = x.split_with_sizes(_sizes(offsets))
    return torch.cat([F.linear(x_i, weights[i], None if biases is None else biases[i]) for i, x_i in enumerate(parts)])


def domain_product(
    x: Tensor, offsets: Sequence[int], weights: SliceParameters, biases: SliceParameters | None
) -> Tensor:
    """``y = W_i x + b_i`` for the rows of slice i.

    Here and in backward each product is written where it belongs: split and join would copy all of x's gradient and of
    y once more. The sum of a shared weight and a slice's own is made when it is needed, in the processor's cache, and
    the gradient of the shared one added up as the others come. Not differentiable twice.

    Args:
        x: (B, in_features).
        offsets: n + 1 rising row numbers from 0 to B; slice i is rows ``offsets[i]:offsets[i + 1]``.
        weights: n of (out_features, in_features).
        biases: n of (out_features,), or None.

    Returns:
        (B, out_features)

    Example:
        >>> weights = SliceParameters(own=[torch.zeros(1, 2), torch.ones(1, 2)], shared=torch.ones(1, 2))
        >>> domain_product(torch.ones(3, 2), [0, 1, 3], weights, None).tolist()
        [[2.0], [4.0], [4.0]]
    """
    y: Tensor = _DomainProduct.apply(  # type: ignore[no-untyped-call]
        x,
        _sizes(offsets),
        weights.shared,
        None if biases is None else biases.shared,
        *weights.own,
        *(() if biases is None else biases.own),
    )
    return y


class _DomainProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, sizes: list[int], shared: Tensor | None, shared_bias: Tensor | None, *own: Tensor
    ) -> Tensor:
        weights, biases = own[: len(sizes)], own[len(sizes) :]
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


def _sums(shared: Tensor | None, own: Sequence[Tensor]) -> Iterator[Tensor]:
    """The weight of each slice; with a shared one all in the same memory, each until the next is asked for."""
    if shared is None:
        yield from own
    else:
        total = torch.empty_like(shared)
        for weight in own:
            yield torch.add(shared, weight, out=total)


def _sums_of_slices(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """The sum of the rows of each slice (n, out_features)."""
    starts = torch.tensor([0, *accumulate(sizes[:-1])]).to(x.device, non_blocking=True)
    return F.embedding_bag(torch.arange(len(x), device=x.device), x, starts, mode="sum")


def _sizes(offsets: Sequence[int]) -> list[int]:
    return [end - start for start, end in pairwise(offsets)]
