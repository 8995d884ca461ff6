"""The processes that train one model together: who does which part, and what they tell each other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from adi.errors import AdiError
from adi.processes.collectives import gathered_rows, summed

ROWS_AT_ONCE = 1 << 16
"""Rows of each process that are exchanged at a time."""


class Processes:
    """This process, number `rank` of `count` that train one model together. By default it is alone.

    `on_this_machine` is the number of those that run on the same machine.

    Methods from `sum` on are collective: all processes call them, in the same order, and each waits for the others. A
    process that is alone does nothing in them.
    """

    def __init__(self, rank: int = 0, count: int = 1, *, on_this_machine: int = 1) -> None:
        self.rank, self.count, self.on_this_machine = rank, count, on_this_machine
        self._results: list[Tensor] = []

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.count > 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes what is written once, and talks to the user."""
        return self.rank == 0

    def part(self, size: int, *, turn: int = 0) -> slice:
        """This process's part of `size` things, which are divided among all, none left out and none twice."""
        return self.parts(size, turn=turn)[self.rank]

    def parts(self, size: int, *, turn: int = 0) -> list[slice]:
        """The part of each process. Parts differ by one thing at most; with another `turn`, others have it."""
        cuts = [size * number // self.count for number in range(self.count + 1)]
        numbers = [(rank + turn) % self.count for rank in range(self.count)]
        return [slice(cuts[number], cuts[number + 1]) for number in numbers]

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of the tensors of all processes, with gradients to each of them."""
        return self._with_gradients(summed(tensor)) if self.several else tensor

    def gather(self, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        """The rows (n, E) of all processes, by rank, with gradients; `sizes` are the numbers of rows of each."""
        return self._with_gradients(gathered_rows(rows, sizes)) if self.several else rows

    def joined(self, loss: Tensor) -> Tensor:
        """A loss whose backward pass takes part in that of every collective operation since the last call.

        A process whose own samples do not depend on a result, since it has none of a domain, would otherwise not be
        there when the others wait for it.
        """
        results, self._results = self._results, []
        for result in results:
            loss = loss + 0 * result.sum()
        return loss

    def total(self, tensor: Tensor) -> Tensor:
        """The sum of the tensors of all processes, without gradients."""
        if not self.several:
            return tensor
        total = tensor.detach().clone() if tensor.dtype != torch.bool else tensor.int()
        dist.all_reduce(total)
        return total

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Add up the gradients of all processes; a parameter that has none in any process keeps none."""
        if not self.several:
            return
        used = torch.tensor([float(parameter.grad is not None) for parameter in parameters])
        zeros = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
        flat = torch.cat([used.to(zeros[0].device), *(gradient.flatten() for gradient in zeros)])
        dist.all_reduce(flat)
        used, flat = flat[: len(used)].cpu(), flat[len(used) :]
        sums = flat.split([parameter.numel() for parameter in parameters])  # type: ignore[no-untyped-call]
        for parameter, is_used, gradient in zip(parameters, used.tolist(), sums, strict=True):
            parameter.grad = gradient.view_as(parameter) if is_used else None

    def shares(self, size: int) -> NDArray[np.int64]:
        """The numbers of this process's share of `size` things, at least one: as many for each process.

        Where they cannot be divided evenly, a process has one of them twice. `rejoined` leaves it out again.
        """
        part = self.part(size)
        numbers = np.arange(part.start, max(part.start + 1, part.start + -(-size // self.count)))
        return np.minimum(numbers, max(part.stop - 1, 0))

    def rejoined(self, results: Tensor, size: int) -> Tensor:
        """The results (size, ...) of all things, from those of this process's share (s, ...).

        They are exchanged some rows at a time, since the exchange has them in memory twice.
        """
        if not self.several:
            return results
        rejoined = results.new_empty(size, *results.shape[1:])
        for first in range(0, len(results), ROWS_AT_ONCE):
            rows = results[first : first + ROWS_AT_ONCE].contiguous()
            gathered = [torch.empty_like(rows) for _ in range(self.count)]
            dist.all_gather(gathered, rows)
            for of_process, part in zip(gathered, self.parts(size), strict=True):
                target = rejoined[part][first : first + ROWS_AT_ONCE]
                target[:] = of_process[: len(target)]
        return rejoined

    def objects(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if not self.several:
            return [value]
        values = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.several:
            self.objects(None)

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """A block, without collective calls, that must succeed everywhere: an error in one process is raised in all."""
        error: Exception | None = None
        try:
            yield
        except (AdiError, OSError) as caught:
            error = caught
        if not self.several:
            if error is not None:
                raise error
            return
        messages = self.objects(None if error is None else str(error))
        if error is not None and len(set(messages)) == 1:  # the same everywhere
            raise error
        for rank, message in enumerate(messages):
            if message is not None:
                raise AdiError(f"process {rank}: {message}")

    def _with_gradients(self, result: Tensor) -> Tensor:
        if result.requires_grad:
            self._results.append(result)
        return result


ALONE = Processes()
