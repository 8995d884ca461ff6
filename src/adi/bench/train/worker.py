"""A training in a process of its own, that does so many steps when it is told to: here that of adi.

The process says ``ready`` on its standard output once all is built and warm. Then it reads lines: ``steps N`` does N
steps and answers ``done``; ``limit N`` does the bare operations of a step N times (see `adi.bench.train.limit`). It
ends with its standard input. Peers speak the same (`adi.bench.train.peers`).
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from adi.batch import Batch
from adi.bench.train.limit import Limit
from adi.bench.train.masked import masked
from adi.bench.train.synthetic import NETWORKS
from adi.data.dataset import Dataset
from adi.machine import tune_allocator
from adi.models.catalog import TrainedModel, build, model_named
from adi.training.device import device_named
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import TrainingSettings
from adi.training.step import Step

WARM = 3


def work(
    prepared: Path, model: str, *, as_masked: bool, training: Mapping[str, Any], threads: int, device: str
) -> None:
    """Be such a process."""
    torch.set_num_threads(threads)
    tune_allocator()
    dataset = Dataset(prepared)
    settings = TrainingSettings(**training)
    step = _step(dataset, model, settings, as_masked=as_masked, device=device)
    batches = _endless(dataset, settings)

    def steps(number: int) -> None:
        for _ in range(number):
            float(step(next(batches)))

    steps(WARM)
    watched = Limit(step.model.tables.weight)
    with watched:
        steps(1)

    def limit(number: int) -> None:
        for _ in range(number):
            watched()
        if step.model.tables.weight.is_cuda:
            torch.cuda.synchronize(step.model.tables.weight.device)

    serve_lines({"steps": steps, "limit": limit})


def serve_lines(works: Mapping[str, Callable[[int], None]]) -> None:
    """Say that all is ready, and do what standard input asks for until it ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        name, number = line.split()
        works[name](int(number))
        print("done", flush=True)


def _step(dataset: Dataset, model: str, settings: TrainingSettings, *, as_masked: bool, device: str) -> Step:
    kind = model_named(model)
    assert isinstance(kind, TrainedModel)
    given = {**kind.defaults, "networks": NETWORKS}
    lone = max(len(dataset.manifest.side("user", "context")), len(dataset.manifest.side("item"))) < 2
    if lone and "adaptation" in kind.settings.model_fields:
        given["adaptation"] = "none"  # there is nothing to weigh, and the model refuses it
    torch.manual_seed(0)
    towers = build(masked(kind) if as_masked else kind, dataset, kind.settings(**given))
    return Step(towers.to(device_named(device)).train(), settings)


def _endless(dataset: Dataset, settings: TrainingSettings) -> Iterator[Batch]:
    sampler = negative_sampler(dataset, in_batch=settings.in_batch, uniform=settings.uniform)
    loader = Loader(dataset, batch_size=settings.batch_size, sampler=sampler, causal=settings.causal)
    epoch = 0
    while True:
        yield from (batch for batch in loader.epoch(epoch) if batch.size == settings.batch_size)
        epoch += 1


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    work(Path(asked.pop("prepared")), asked.pop("model"), **asked)
