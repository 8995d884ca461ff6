"""Collective operations of PyTorch with gradients: for a loss that is the sum of the losses of all processes."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def summed(tensor: Tensor) -> Tensor:
    """The sum of the tensors of all processes, which all have the same shape."""
    total: Tensor = _Sum.apply(tensor)  # type: ignore[no-untyped-call]
    return total


def gathered_rows(rows: Tensor, sizes: Sequence[int]) -> Tensor:
    """The rows (n, E) of all processes, one process after the other (sum of `sizes`, E)."""
    gathered: Tensor = _Gather.apply(rows, tuple(sizes))  # type: ignore[no-untyped-call]
    return gathered


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: tuple[int, ...]) -> Tensor:
        ctx.sizes = sizes
        most = max(sizes)
        padded = functional.pad(rows, (0, 0, 0, most - len(rows))).contiguous()  # all backends take equal sizes
        gathered = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(gathered, padded)
        return torch.cat([part[:size] for part, size in zip(gathered, sizes, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        sizes, most = ctx.sizes, max(ctx.sizes)
        parts = gradient.split(sizes)  # type: ignore[no-untyped-call]
        padded = [functional.pad(part, (0, 0, 0, most - len(part))).contiguous() for part in parts]
        local = torch.empty_like(padded[0])
        dist.reduce_scatter(local, padded)
        return local[: sizes[dist.get_rank()]], None
