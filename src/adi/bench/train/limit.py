"""The least that a step of training could take: its matrix products and its reads and writes of tables, bare.

One real step is watched, and the operations of these kinds are kept with the very tensors that they were called with.
Called once more, one after the other and nothing else between, they are what is left of a step if all else were free.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = ("mm", "addmm", "addmm_", "bmm")
POOLED = ("_embedding_bag", "_embedding_bag_forward_only")
"""Rows summed by bags, and the gradients of that."""
OF_TABLES = ("index", "index_add_")
"""Rows read, and rows that the optimizer writes back; counted of the tables alone."""

Call = tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]


class Limit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within the context, keeps the bare operations of what runs; a call does them again.

    Args:
        tables: the matrix of the packed tables.
    """

    def __init__(self, tables: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.place = tables.data_ptr()
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name in PRODUCTS or name in POOLED or (name in OF_TABLES and args[0].data_ptr() == self.place):
            self.calls.append((function, args, kwargs or {}))
        return function(*args, **(kwargs or {}))

    @torch.no_grad()
    def __call__(self) -> None:
        for function, args, kwargs in self.calls:
            function(*args, **kwargs)
