"""A process that trains a model of adi, so many steps at a time, when its standard input says so.

It writes ``ready`` to standard output once the model is built and warm. Then it reads lines: ``steps N`` does N steps
of the training, and ``limit N`` the bare operations of a step N times; both are answered by ``done``. It ends with its
standard input. Scripts of other libraries speak the same (`benchmarks.training.peers`).
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from adi.batch import Batch
from adi.data.dataset import Dataset
from adi.machine import tune_allocator
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import SettingsForData, TrainingSettings
from benchmarks.towers import dataset_step

WARM_UP_STEPS = 3

PRODUCTS = ("mm", "addmm", "addmm_", "bmm")
POOLING = ("_embedding_bag", "_embedding_bag_forward_only")
"""Sums of rows by bags, and their gradients."""
TABLE_ACCESS = ("index", "index_add_")
"""Reads of rows, and the optimizer's writes of rows; counted for the embedding tables alone."""


class BareOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lower bound of a training step: its matrix products and its reads and writes of tables, and nothing else.

    As a context manager it records these operations of a real step, with the very tensors that they are called with. A
    call then does them again, one after the other.

    Args:
        tables: the matrix of the packed embedding tables.
    """

    def __init__(self, tables: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tables_pointer = tables.data_ptr()
        self.operations: list[tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = function.overloadpacket.__name__
        of_tables = name in TABLE_ACCESS and args[0].data_ptr() == self.tables_pointer
        if name in PRODUCTS or name in POOLING or of_tables:
            self.operations.append((function, args, kwargs or {}))
        return function(*args, **(kwargs or {}))

    @torch.no_grad()
    def __call__(self) -> None:
        for function, args, kwargs in self.operations:
            function(*args, **kwargs)


def work(prepared: Path, model: str, *, masked: bool, training: Mapping[str, Any], threads: int, device: str) -> None:
    """Train until standard input ends; `training` are settings that are not the defaults."""
    torch.set_num_threads(threads)
    tune_allocator()
    dataset = Dataset(prepared)
    settings = TrainingSettings(**training).for_data(dataset.manifest)
    step = dataset_step(dataset, model, settings, masked=masked, device=device)
    tables, batches = step.model.tables.weight, _endless_batches(dataset, settings)

    def steps(number: int) -> None:
        for _ in range(number):
            float(step(next(batches)))

    steps(WARM_UP_STEPS)
    bare_step = BareOperations(tables)
    with bare_step:
        steps(1)

    def limit(number: int) -> None:
        for _ in range(number):
            bare_step()
        if tables.is_cuda:
            torch.cuda.synchronize(tables.device)

    _answer_lines({"steps": steps, "limit": limit})


def _answer_lines(tasks: Mapping[str, Callable[[int], None]]) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        name, number = line.split()
        tasks[name](int(number))
        print("done", flush=True)


def _endless_batches(dataset: Dataset, settings: SettingsForData) -> Iterator[Batch]:
    """The full batches of one epoch after the other."""
    sampler = negative_sampler(dataset, in_batch=settings.in_batch, uniform=settings.uniform)
    loader = Loader(dataset, batch_size=settings.batch_size, sampler=sampler, causal=settings.causal)
    epoch = 0
    while True:
        yield from (batch for batch in loader.epoch(epoch) if batch.size == settings.batch_size)
        epoch += 1


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    work(Path(arguments.pop("prepared")), arguments.pop("model"), **arguments)
