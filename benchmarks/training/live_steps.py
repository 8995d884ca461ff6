"""Time of a training step with trends, beside one without, on the same log."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer

from adi.batch import Batch
from adi.data.dataset import Dataset
from adi.errors import ArgumentError
from adi.machine import tune_allocator
from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.models.catalog import MODELS
from adi.models.model import TrainedModel
from adi.models.vectors import VectorScorer
from adi.preparation.inputs import SchemaSource, read_schema
from adi.preparation.prepare import prepare
from adi.schema import Trend
from adi.training.loader import Loader, negative_sampler
from adi.training.settings import settings_for
from adi.training.step import Step
from benchmarks.options import AsJson, BatchSize, Rounds, Steps, Threads
from benchmarks.report import Report, Row, announce, show
from benchmarks.timing import Task, Times, in_turns, torch_threads

WITHOUT = "no trends"
MODEL = "dnn"
SIMULATED = 300_000


def live_steps(
    schema: Annotated[
        Path | None, typer.Option(help="A schema with trend, or its folder; by default a simulated marketplace.")
    ] = None,
    batch_size: BatchSize = 4096,
    threads: Threads = 1,
    rounds: Rounds = 5,
    calls: Steps = 5,
    as_json: AsJson = False,
) -> None:
    """Time of a batch and of the step on it, by what the schema's trend counts, with default settings.

    Example: [bold]python -m benchmarks live-steps --schema globo[/]
    """
    tune_allocator()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        if schema is None:
            announce("simulating a marketplace")
            schema = folder / "tables"
            simulate(schema, Marketplace(interactions=SIMULATED, trends=0.5))
        stack.enter_context(torch_threads(threads))
        tasks: dict[str, Task] = {}
        for name, variant in _variants(schema).items():
            announce(f"preparing {name}")
            prepare(variant, folder / name, progress=False)
            tasks |= _tasks(name, Dataset(folder / name), batch_size)
        announce("measuring")
        in_turns(tasks, rounds=1, calls=2)  # not counted
        times = in_turns(tasks, rounds=rounds, calls=calls)
    names = [name.removesuffix(" step") for name in times if name.endswith(" step")]
    rows = [_row(name, times, WITHOUT) for name in names]
    settings: Row = {"batch_size": batch_size, "threads": threads, "rounds": rounds, "steps": calls}
    show(Report("live-steps", settings, rows, {}), as_json)


def _variants(schema: Path) -> dict[str, SchemaSource]:
    """The schema without trends, with counters alone, and with each further count that it asks for."""
    source = read_schema(schema)
    trend = source.schema.trend
    if trend is None:
        raise ArgumentError("schema", f"{schema} has no trend. Give a schema that has one.")
    parts = [name for name in ("co_clicks", "audience") if getattr(trend, name) is not None]
    counted = trend.model_copy(update=dict.fromkeys(("co_clicks", "audience")))
    variants: dict[str, Trend | None] = {WITHOUT: None, "counters": counted}
    for part in parts:
        counted = counted.model_copy(update={part: getattr(trend, part)})
        variants[f"and {part}"] = counted
    schemas = {name: source.schema.model_copy(update={"trend": trend}) for name, trend in variants.items()}
    return {name: replace(source, schema=variant) for name, variant in schemas.items()}


def _tasks(name: str, dataset: Dataset, batch_size: int) -> dict[str, Task]:
    """Make a batch; do the step on the batch that was made last."""
    model = MODELS[MODEL]
    assert isinstance(model, TrainedModel)
    settings = settings_for(model, {"batch_size": batch_size}).for_data(dataset.manifest)
    assert settings.training is not None
    training = settings.training.for_data(dataset.manifest)
    torch.manual_seed(0)
    towers = model.build(dataset, settings.model)
    sampler = negative_sampler(dataset, in_batch=training.in_batch, uniform=training.uniform)
    loader = Loader(dataset, batch_size=batch_size, sampler=sampler, unknown=training.unknown_items)
    clicks = dataset.clicks("frozen")
    if clicks is not None and loader.moments is not None:
        loader.moments.audiences = VectorScorer(towers, dataset).audiences(clicks)
    step = Step(towers.train(), training, model.loss)
    batches = _endless(loader)
    made: list[Batch] = []

    def make(call: int) -> None:
        made[:] = [next(batches)]

    make(0)
    return {f"{name} batch": make, f"{name} step": lambda call: step(made[0])}


def _endless(loader: Loader) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from loader.epoch(epoch)
        epoch += 1


def _row(name: str, times: dict[str, Times], without: str) -> Row:
    batch, step = (times[f"{name} {part}"].percentile_ms(50) for part in ("batch", "step"))
    alone = sum(times[f"{without} {part}"].percentile_ms(50) for part in ("batch", "step"))
    return {
        "trends": name,
        "batch_ms": round(batch, 1),
        "step_ms": round(step, 1),
        "by_no_trends": round((batch + step) / alone, 2),
    }
