"""A process of a training in several, on random batches, which measures where the time of a step goes.

``python -m torch.distributed.run ... -m benchmarks.training.scale_worker ARGUMENTS``, with the arguments of `work` as
JSON. The first process writes what it has found.
"""

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

from adi.batch import Batch
from adi.machine import tune_allocator
from adi.processes.group import Processes
from adi.processes.start import joined
from adi.training.settings import TrainingSettings
from adi.training.several import sharded_tables
from adi.training.sharding import Sharding
from adi.training.step import Step
from benchmarks.process import status_bytes
from benchmarks.training.synthetic import Synthetic

BATCHES, WARM_UP_STEPS = 4, 3


class Clock:
    """The seconds that calls of some methods take, by part of a step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, owner: Any, method: str, part: str) -> None:
        """Add the seconds of a method to a part from now on."""
        call: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **options: Any) -> Any:
            started = perf_counter()
            result = call(*args, **options)
            self.seconds[part] = self.seconds.get(part, 0.0) + perf_counter() - started
            return result

        setattr(owner, method, timed)


def work(
    rows: int, samples: int, model: str, sharding: Sharding, steps: int, threads: int, out: str, domains: int = 3
) -> None:
    """Time steps of a model whose tables have `rows` rows together, on batches of `samples` of all processes."""
    torch.set_num_threads(threads)
    tune_allocator()
    with joined(torch.device("cpu")) as processes:
        lr = TrainingSettings().embedding_lr
        divided = (
            sharded_tables(processes, sharding, torch.device("cpu"), lr=lr) if processes.several else nullcontext()
        )
        data = Synthetic(domains, users=rows * 4 // 5, items=rows // 5, samples=samples, processes=processes)
        with divided as tables:
            step = data.step(model, tables=tables)
        batches = [data.batch(number) for number in range(BATCHES)]
        result = measured(step, batches, processes, steps)
        if processes.first:
            Path(out).write_text(json.dumps(result), encoding="utf-8")


def measured(step: Step, batches: list[Batch], processes: Processes, steps: int) -> dict[str, float | None]:
    """The median milliseconds of a step, and the mean of each of its parts."""
    clock = Clock()
    clock.watch(step.model.tables, "gather", "lookups")
    clock.watch(step.tables, "step", "updates")
    clock.watch(processes, "sum_gradients", "gradients")
    clock.watch(processes, "gather", "candidates")
    clock.watch(step, "loss", "loss")
    for number in range(WARM_UP_STEPS):
        step(batches[number % BATCHES])
    clock.seconds.clear()
    times = []
    for number in range(steps):
        processes.wait()
        started = perf_counter()
        float(step(batches[number % BATCHES]))
        times.append(perf_counter() - started)
    peak = status_bytes("VmHWM", None)
    parts = {part: round(1000 * seconds / steps, 1) for part, seconds in clock.seconds.items()}
    batch = batches[0]
    values = [bags.values for side in (batch.user, batch.item) for bags in side.values()]
    joined_candidates = batch.all_candidates
    return {
        "step": round(1000 * median(times), 1),
        **parts,
        "peak_mb": None if peak is None else round(peak / 1e6),
        "looked_up": sum(len(torch.unique(of_feature)) for of_feature in values),
        "candidates_of_batch": batch.item_offsets[-1] if joined_candidates is None else joined_candidates.offsets[-1],
        "dense": sum(parameter.numel() for parameter in step.model.parameters() if parameter.requires_grad),
        "width": step.model.tables.embedding_dim,
    }


if __name__ == "__main__":
    work(**json.loads(sys.argv[1]))
