"""Products of slices of rows, each with a weight of its own, written one after the other into one result.

`domain_product` and `domain_product_plain` are the same function. The first is what `DomainLinear` calls in training;
the second says what is meant, and the first is tested against it.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def domain_product_plain(
    x: Tensor, offsets: Sequence[int], weights: Sequence[Tensor], biases: Sequence[Tensor] | None
) -> Tensor:
    """`domain_product` by splitting x and joining the results."""
    parts = x.split_with_sizes([end - start for start, end in pairwise(offsets)])
    terms = [None] * len(weights) if biases is None else biases
    return torch.cat([F.linear(*part) for part in zip(parts, weights, terms, strict=True)])


def domain_product(
    x: Tensor, offsets: Sequence[int], weights: Sequence[Tensor], biases: Sequence[Tensor] | None
) -> Tensor:
    """``y = W_i x + b_i`` for the rows of slice i.

    Both here and in backward each product is written where it belongs. Split and join would copy all of x's gradient
    and of y once more, which at usual widths takes a third of the time of the products. Not differentiable twice.

    Args:
        x: (B, in_features).
        offsets: n + 1 rising row numbers from 0 to B; slice i is rows ``offsets[i]:offsets[i + 1]``.
        weights: n of (out_features, in_features).
        biases: n of (out_features,), or None.

    Returns:
        (B, out_features)

    Example:
        >>> weights = [torch.ones(1, 2), -torch.ones(1, 2)]
        >>> domain_product(torch.ones(3, 2), [0, 1, 3], weights, None).tolist()
        [[2.0], [-2.0], [-2.0]]
    """
    y: Tensor = _DomainProduct.apply(x, tuple(offsets), *weights, *(biases or ()))  # type: ignore[no-untyped-call]
    return y


class _DomainProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, offsets: tuple[int, ...], *parameters: Tensor) -> Tensor:
        rows = [slice(start, end) for start, end in pairwise(offsets)]
        weights, biases = parameters[: len(rows)], parameters[len(rows) :]
        y = x.new_empty(x.shape[0], weights[0].shape[0])
        for i, own in enumerate(rows):
            if biases:
                torch.addmm(biases[i], x[own], weights[i].T, out=y[own])
            else:
                torch.mm(x[own], weights[i].T, out=y[own])
        ctx.rows, ctx.with_bias = rows, bool(biases)
        ctx.save_for_backward(x, *weights)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors
        of_x: Tensor | None = None
        if ctx.needs_input_grad[0]:
            of_x = torch.empty_like(x)
            for own, weight in zip(ctx.rows, weights, strict=True):
                torch.mm(gradient[own], weight, out=of_x[own])
        of_weights = [gradient[own].T @ x[own] for own in ctx.rows]
        of_biases = [gradient[own].sum(dim=0) for own in ctx.rows] if ctx.with_bias else []
        return of_x, None, *of_weights, *of_biases
