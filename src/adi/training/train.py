"""`adi.train`: from a prepared dataset and a model to a run."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any, get_args

import torch

from adi.data.dataset import Dataset
from adi.data.folder import LOCK, is_free, locked
from adi.data.sealed import files_in
from adi.errors import AdiError, ArgumentError, differences
from adi.features.recoding import check_trend
from adi.machine import torchrun
from adi.models.catalog import model_of
from adi.models.model import FittedModel, Model, TrainedModel
from adi.models.scorer import ScorerByDomain
from adi.models.source import source_of
from adi.models.two_tower import TwoTower
from adi.processes.group import Processes
from adi.processes.start import TIMEOUT, check_same, device_of_process, joined
from adi.runs.baselines import write_baselines
from adi.runs.coding import read_coding, write_coding
from adi.runs.info import FILE, RunInfo, read_info, write_info
from adi.training.baselines import beside
from adi.training.blend import check_kinds, fit_blend
from adi.training.device import device_named
from adi.training.fitted import kept_scorers
from adi.training.loop import AUDIENCES, CHECKPOINT, FAILED, REFIT_CHECKPOINT, Observer, Training
from adi.training.optimizers import TableOptimizer
from adi.training.progress import epochs
from adi.training.row_weights import check_half_life
from adi.training.self_training import check_self_training
from adi.training.settings import RunSettings, TrainingSettings, as_config, settings_for
from adi.training.sharding import Sharding

CHECKPOINTS = tuple(f"{prefix}{name}" for prefix in ("", FAILED) for name in (CHECKPOINT, REFIT_CHECKPOINT))
"""The files that a complete run has no more."""
NOT_KEPT = (FILE, LOCK, *CHECKPOINTS, AUDIENCES, "tensorboard", "mlflow.json")
"""Files and folders of a run that its record has no digest of: itself, what is removed, and what may grow."""


def train(
    prepared: str | Path,
    model: str | Model,
    out: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    device: str = "cpu",
    baselines: bool = True,
    verify: bool = True,
    progress: bool = True,
    observer: Observer | None = None,
    sharding: Sharding = "auto",
    timeout: float = TIMEOUT,
) -> RunInfo:
    """Train a model, or fit it, on a prepared dataset; the run's folder then holds all that evaluation and export need.

    Args:
        prepared: the folder that `adi.prepare` wrote.
        model: a name of `adi.models.catalog.MODELS`, the path ``package.module:NAME`` of a model of your own, or the
            model itself.
        out: the run's folder, new or empty; with `resume` that of an unfinished run of the same model and settings.
        settings: what differs from the model's defaults, see `adi.training.settings.settings_for`.
        seed: of the weights, the order of the samples, the negatives and the dropout.
        device: where the weights are and steps are done: cpu, cuda or cuda:N. Batches are made on the CPU in any case.
        verify: compare every file of `prepared` with its digest first.
        baselines: compare the model with quick baselines on the validation rows, into ``<out>/baselines.json``.
        progress: show a bar and the epochs on standard error, in a terminal or a notebook.
        observer: is called with each step and epoch, in place of that.
        sharding: how several processes divide the embedding tables, see `adi.training.sharding.Sharding`.
        timeout: seconds after which a process that waits for another gives up.

    Where torchrun has started several processes, they train the model together: each batch and each table is divided
    among them, and the result is that of one process, but for rounding and for the random numbers of dropout. The first
    writes, into a folder that all see. When torchrun starts them anew after a failure, they go on from the last
    checkpoint.

    Raises `AdiError` for unknown models and settings and for folders that do not fit, before anything is written.
    """
    kind, folder = model_of(model), Path(out)
    chosen = settings_for(kind, settings)
    if not 0 <= seed < 1 << 63:
        raise ArgumentError("seed", f"{seed}; give a whole number from 0 to {(1 << 63) - 1}.")
    if sharding not in get_args(Sharding):
        raise ArgumentError("sharding", f"'{sharding}' is not one of {', '.join(get_args(Sharding))}.")
    with joined(device_named(device), timeout=timeout) as processes:
        job = Job(
            Path(prepared), kind, folder, seed, device_of_process(device_named(device)), processes, sharding, baselines
        )
        with processes.agreeing():
            dataset = Dataset(job.prepared)
            if verify and processes.first:
                dataset.verify()
            by_data = {default.name: default.reason for default in chosen.by_data(dataset.manifest)}
            chosen = chosen.for_data(dataset.manifest)
            info = _new_info(kind, seed, chosen, dataset, folder).model_copy(update={"by_data": by_data})
            resume = resume or _goes_on(folder)
            if resume:
                before = read_info(folder)
                _check_same(before, info, folder)
                info = _going_on(before, info)
                check_trend(dataset, read_coding(folder, info))
            else:
                _check_free(folder)
        compared = {"model": info.model, "seed": seed, "settings": info.config, "data": info.fingerprint}
        check_same(processes, {**compared, "versions": info.versions, "source": info.source, "resume": resume})
        if isinstance(kind, FittedModel):
            if processes.several:
                raise AdiError(f"{kind.name} is fitted, not trained: one process does it. Start it without torchrun.")
            kind.check(Dataset(job.prepared, all_rows=info.refit), chosen.model)
        with _alone_in(folder, processes, resume=resume):
            if info.files is None and not isinstance(kind, FittedModel):
                info = _trained(job, kind, chosen, dataset, info, resume, progress, observer)
            if processes.first:
                info = _completed(info, folder)
            processes.wait()
    return info


def _going_on(before: RunInfo, now: RunInfo) -> RunInfo:
    """The record with which an interrupted training goes on; with its files, nothing but `_completed` is left to do."""
    if before.files is not None:
        return before.model_copy(update={"prepared": now.prepared})
    chosen = {name: getattr(before, name) for name in ("kept", "blend", "blend_similarity")}
    return now.model_copy(update=chosen)


def _completed(info: RunInfo, folder: Path) -> RunInfo:
    """Write the record of a complete run, after what only an unfinished one needs is removed.

    Before that, the record has the files: from then on the checkpoints are not missed.
    """
    if info.files is None:
        info = info.model_copy(update={"files": files_in(folder, NOT_KEPT)})
        write_info(folder, info)
    for checkpoint in CHECKPOINTS:
        (folder / checkpoint).unlink(missing_ok=True)
    if (folder / AUDIENCES).exists():
        rmtree(folder / AUDIENCES)
    info = info.model_copy(update={"status": "complete"})
    write_info(folder, info)
    return info


@contextmanager
def _alone_in(folder: Path, processes: Processes, *, resume: bool) -> Iterator[None]:
    """Keep other trainings out of the folder during the block; it stays only if something was written there."""
    with ExitStack() as stack:
        is_new = not folder.exists()
        with processes.agreeing():
            if processes.first:
                stack.enter_context(locked(folder))
                if not resume:
                    _check_free(folder)  # again: another process may have come first
        try:
            yield
        finally:
            if processes.first:
                (folder / LOCK).unlink()
                if is_new and not any(folder.iterdir()):
                    folder.rmdir()


def _check_free(folder: Path) -> None:
    if not is_free(folder):
        raise AdiError(f"{folder}: exists and is not empty. Choose another; an unfinished run goes on with --resume.")


@dataclass(frozen=True)
class Job:
    """A training: its data, model, folder, seed, device and processes, and whether baselines are fitted along."""

    prepared: Path
    kind: Model
    folder: Path
    seed: int
    device: torch.device
    processes: Processes
    sharding: Sharding
    baselines: bool


def _goes_on(folder: Path) -> bool:
    """Whether torchrun has started this process anew, since one had failed, and there is something to go on with."""
    process = torchrun()
    return process is not None and process.restarts > 0 and (folder / FILE).exists()


def _trained(
    job: Job,
    kind: TrainedModel,
    settings: RunSettings,
    dataset: Dataset,
    info: RunInfo,
    resume: bool,
    progress: bool,
    observer: Observer | None,
) -> RunInfo:
    """Train the model; returns the record of the run with what the training has found."""
    assert settings.training is not None
    processes = job.processes
    towers, tables = _built(job, kind, dataset, settings)
    with processes.agreeing():
        if processes.first:
            job.folder.mkdir(parents=True, exist_ok=True)
            write_info(job.folder, info)
            write_coding(job.folder, dataset, refit=info.refit)
    with epochs(progress and observer is None and processes.first) as shown:
        watching = (observer or shown) if processes.first else None

        def training_of(dataset: Dataset, towers: TwoTower, tables: TableOptimizer | None, before: int = 0) -> Training:
            assert settings.training is not None
            return Training(
                towers,
                kind.loss,
                dataset,
                settings.training,
                job.folder,
                job.seed,
                watching,
                epochs_before=before,
                processes=processes,
                tables=tables,
            )

        training = training_of(dataset, towers, tables)
        kept = training.run(resume=resume)
        if info.kept is None:  # else a refit goes on, and the weights that were kept may be gone
            info = info.model_copy(update={"kept": kept})
            info = _compared(job, kind, dataset, settings.training, info, towers.temperature)
        if info.refit:
            before = training.progress.epoch
            del training, towers, tables  # before as much memory is used again
            dataset = Dataset(job.prepared, all_rows=True)
            towers, tables = _fresh(job, kind, dataset, settings)
            training = training_of(dataset, towers, tables, before)
            training.refit(kept, resume=resume)
    parameters = sum(parameter.numel() for parameter in towers.parameters() if parameter.requires_grad)
    parameters += towers.tables.num_rows * towers.tables.embedding_dim
    return info.model_copy(update={"parameters": parameters})


def _compared(
    job: Job, kind: TrainedModel, dataset: Dataset, settings: TrainingSettings, info: RunInfo, temperature: float
) -> RunInfo:
    """Fit the blend and the baselines to the weights that are kept, before a refit; returns the record with the blend.

    The record is written last: once it says which epochs are kept, a training that is resumed has all of this.
    """
    job.processes.wait()  # until the kept weights are written
    scorer = ScorerByDomain(kept_scorers(job.folder, info, kind, dataset, job.processes))
    scorers = [scorer]
    if settings.blend:
        half_life, by_domain = settings.for_data(dataset.manifest).row_half_life, kind.towers.tables_by_domain
        blend = fit_blend(scorer, dataset, temperature, settings.k, settings.blend, half_life, by_domain=by_domain)
        info = info.model_copy(update={"blend": blend.weights, "blend_similarity": blend.similarity})
        scorers = [ScorerByDomain(scorer.scorers, partial(blend.halves.__getitem__, half)) for half in range(2)]
    if job.baselines:
        baselines = beside(kind.name, scorers, dataset, settings.k, job.processes)
        if job.processes.first:
            write_baselines(job.folder, baselines)
    if job.processes.first:
        write_info(job.folder, info)
    job.processes.wait()
    return info


def _built(
    job: Job, kind: TrainedModel, dataset: Dataset, settings: RunSettings
) -> tuple[TwoTower, TableOptimizer | None]:
    """The network with fresh weights; raises `AdiError` for a dataset that it cannot be trained on."""
    if not any(part.validation for part in dataset.manifest.by_domain.values()):
        raise AdiError(
            f"{dataset.folder}: no validation rows to choose the best epoch by. "
            "Raise split.validation in the schema and prepare again."
        )
    assert settings.training is not None
    check_kinds(dataset, settings.training.blend or ())
    check_half_life(dataset, settings.training.for_data(dataset.manifest).row_half_life)
    towers, tables = _fresh(job, kind, dataset, settings)
    if settings.training.self_training:
        check_self_training(towers, dataset)
    return towers, tables


def _fresh(
    job: Job, kind: TrainedModel, dataset: Dataset, settings: RunSettings
) -> tuple[TwoTower, TableOptimizer | None]:
    """The network with fresh weights, and where several processes have its tables, their optimizer."""
    torch.manual_seed(job.seed)
    if not job.processes.several:
        return kind.build(dataset, settings.model).to(job.device), None
    from adi.training.several import sharded_tables

    assert settings.training is not None
    with sharded_tables(job.processes, job.sharding, job.device, lr=settings.training.embedding_lr) as optimizer_of:
        towers = kind.build(dataset, settings.model).to(job.device)
    if not job.processes.first:  # dropout: other random numbers in each process
        torch.manual_seed(hash((job.seed, job.processes.rank)) % (1 << 63))
    return towers, optimizer_of(towers)


def _check_same(before: RunInfo, now: RunInfo, folder: Path) -> None:
    """Refuse to resume a run with another model, other settings or other data than it was started with."""
    if before.status == "complete":
        raise AdiError(f"{folder}: this run is complete; there is nothing to resume.")
    if different := differences(_definition(before), _definition(now)):
        raise AdiError(
            f"{folder}: cannot resume with another {different}. Give the same, or train into another folder."
        )


def _definition(info: RunInfo) -> dict[str, object]:
    """Everything that must be equal to go on, by its name in messages."""
    return {
        "model": info.model,
        "import path of the model": info.source and info.source.path,
        "source code of the model": info.source and info.source.digest,
        "dataset": info.fingerprint,
        "seed": info.seed,
        **{f"{section}.{name}": value for section, values in info.config.items() for name, value in values.items()},
    }


def _new_info(model: Model, seed: int, settings: RunSettings, dataset: Dataset, folder: Path) -> RunInfo:
    """The record of a run before it starts."""
    return RunInfo(
        model=model.name,
        source=source_of(model),
        seed=seed,
        status="training",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        domains=dataset.domains,
        prepared=os.path.relpath(dataset.folder.resolve(), folder.resolve()),
        fingerprint=dataset.manifest.fingerprint,
        versions={name: version(name) for name in ("adi-retrieval", "numpy", "pyarrow", "scipy", "torch")},
        config=as_config(settings),
        refit=settings.refits(dataset.manifest),
        notes=model.notes(dataset, settings.model) if isinstance(model, TrainedModel) else (),
    )
