"""Time that the health checks of a training take, as a share of a step."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer

from adi.data.dataset import Dataset
from adi.machine import tune_allocator
from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare
from adi.training.checkpoint import Progress
from adi.training.health import exploding_norms
from adi.training.loader import Loader, negative_sampler
from adi.training.not_finite import random_state
from adi.training.settings import TrainingSettings
from benchmarks.options import AsJson, BatchSize, Rounds, Steps, Threads
from benchmarks.report import Report, Row, announce, show
from benchmarks.timing import Task, in_turns, torch_threads
from benchmarks.towers import dataset_step

BATCHES = 4


def health(
    prepared: Annotated[
        Path | None, typer.Option(help="A prepared dataset; by default a simulated marketplace, that of make demo.")
    ] = None,
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = "dnn,adi-se,dnn-single",
    batch_size: BatchSize = 4096,
    threads: Threads = 1,
    rounds: Rounds = 5,
    steps: Steps = 8,
    as_json: AsJson = False,
) -> None:
    """Time of the checks of a step, alone, beside the whole step with them.

    Example: [bold]python -m benchmarks health --models adi-se[/]
    """
    tune_allocator()
    with TemporaryDirectory() as folder, torch_threads(threads):
        if prepared is None:
            announce("simulating a marketplace")
            simulate(Path(folder) / "tables", Marketplace(), progress=False)
            prepared = Path(folder) / "prepared"
            prepare(Path(folder) / "tables", prepared, progress=False)
        dataset = Dataset(prepared)
        tasks = {name: task for model in models.split(",") for name, task in _tasks(dataset, model, batch_size).items()}
        announce("measuring")
        in_turns(tasks, rounds=1, calls=2)  # not counted
        times = in_turns(tasks, rounds=rounds, calls=steps)
    rows: list[Row] = []
    for model in models.split(","):
        step, checks = (times[f"{model} {part}"].percentile_ms(50) for part in ("step", "checks"))
        rows.append(
            {"model": model, "step_ms": round(step), "checks_ms": round(checks, 2), "share": round(checks / step, 4)}
        )
    settings: Row = {"batch_size": batch_size, "threads": threads, "rounds": rounds, "steps": steps}
    show(Report("health", settings, rows, {}), as_json)


def _tasks(dataset: Dataset, model: str, batch_size: int) -> dict[str, Task]:
    """The steps of a model; and its checks, again and again on the gradients of one batch."""
    training = TrainingSettings(batch_size=batch_size).for_data(dataset.manifest)
    sampler = negative_sampler(dataset, in_batch=True, uniform=training.uniform)
    loader = Loader(dataset, batch_size=batch_size, sampler=sampler)
    batches = [batch for _, batch in zip(range(BATCHES), loader.epoch(0), strict=False)]
    step, checked = (dataset_step(dataset, model, training) for _ in range(2))
    loss = checked.gradients(batches[0]).loss
    progress = Progress()

    def checks(call: int) -> None:
        random_state(loss.device)
        _, gradients, embeddings = torch.stack(checked.vitals(loss)).tolist()
        list(exploding_norms(progress, checked, gradients=gradients, embeddings=embeddings, epoch=1))

    return {f"{model} step": lambda call: step(batches[call % len(batches)]), f"{model} checks": checks}
