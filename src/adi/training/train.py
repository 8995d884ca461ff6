"""`adi.train`: from a prepared dataset and a model to a run."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch

from adi.data.dataset import Dataset
from adi.errors import AdiError, ArgumentError
from adi.features.recoding import check_trend
from adi.models.catalog import model_of
from adi.models.model import FittedModel, Model, TrainedModel
from adi.models.source import source_of
from adi.models.two_tower import TwoTower
from adi.runs.coding import read_coding, write_coding
from adi.runs.info import RunInfo, read_info, write_info
from adi.training.device import device_named
from adi.training.loop import AUDIENCES, CHECKPOINT, REFIT_CHECKPOINT, Observer, Training
from adi.training.progress import epochs
from adi.training.row_weights import check_half_life
from adi.training.self_training import check_self_training
from adi.training.settings import RunSettings, as_config, settings_for


def train(
    prepared: str | Path,
    model: str | Model,
    out: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    device: str = "cpu",
    progress: bool = True,
    observer: Observer | None = None,
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
        progress: show a bar and the epochs on standard error, in a terminal or a notebook.
        observer: is called with each step and epoch, in place of that.

    Raises `AdiError` for unknown models and settings and for folders that do not fit, before anything is written.
    """
    weights_device, kind, folder = device_named(device), model_of(model), Path(out)
    chosen = settings_for(kind, settings)
    if not 0 <= seed < 1 << 63:
        raise ArgumentError("seed", f"{seed}; give a whole number from 0 to {(1 << 63) - 1}.")
    dataset = Dataset(Path(prepared))
    chosen = chosen.for_data(dataset.manifest)
    refit = chosen.refits(dataset.manifest)
    info = _new_info(kind, seed, chosen, dataset, folder)
    if resume:
        _check_same(read_info(folder), info, folder)
        check_trend(dataset, read_coding(folder, info))
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AdiError(f"{folder}: exists and is not empty. Resume the run that it holds, or choose another folder.")
    if isinstance(kind, FittedModel):
        kind.check(Dataset(Path(prepared), all_rows=refit), chosen.model)
        folder.mkdir(parents=True, exist_ok=True)
    else:
        towers = _built(kind, dataset, chosen, seed).to(weights_device)
        folder.mkdir(parents=True, exist_ok=True)
        write_info(folder, info)
        write_coding(folder, dataset, refit=refit)
        assert chosen.training is not None
        with epochs(progress and observer is None) as shown:
            watching = observer or shown
            training = Training(towers, kind.loss, dataset, chosen.training, folder, seed, watching)
            kept = training.run(resume=resume)
            if refit:
                before = training.progress.epoch
                del training, towers  # before as much memory is used again
                dataset = Dataset(Path(prepared), all_rows=True)
                towers = _fresh(kind, dataset, chosen, seed).to(weights_device)
                training = Training(
                    towers, kind.loss, dataset, chosen.training, folder, seed, watching, epochs_before=before
                )
                training.refit(kept, resume=resume)
        parameters = sum(parameter.numel() for parameter in towers.parameters())
        info = info.model_copy(update={"parameters": parameters, "kept": kept})
    info = info.model_copy(update={"status": "complete"})
    write_info(folder, info)
    for checkpoint in (CHECKPOINT, REFIT_CHECKPOINT):
        (folder / checkpoint).unlink(missing_ok=True)
    if (folder / AUDIENCES).exists():
        rmtree(folder / AUDIENCES)
    return info


def _built(kind: TrainedModel, dataset: Dataset, settings: RunSettings, seed: int) -> TwoTower:
    """The network with fresh weights; raises `AdiError` for a dataset that it cannot be trained on."""
    if not any(part.validation for part in dataset.manifest.by_domain.values()):
        raise AdiError(
            f"{dataset.folder}: no validation rows to choose the best epoch by. "
            "Raise split.validation in the schema and prepare again."
        )
    assert settings.training is not None
    check_half_life(dataset, settings.training.for_data(dataset.manifest).row_half_life)
    towers = _fresh(kind, dataset, settings, seed)
    if settings.training.self_training:
        check_self_training(towers, dataset)
    return towers


def _fresh(kind: TrainedModel, dataset: Dataset, settings: RunSettings, seed: int) -> TwoTower:
    """The network with fresh weights."""
    torch.manual_seed(seed)
    return kind.build(dataset, settings.model)


def _check_same(before: RunInfo, now: RunInfo, folder: Path) -> None:
    """Refuse to resume a run with another model, other settings or other data than it was started with."""
    if before.status == "complete":
        raise AdiError(f"{folder}: this run is complete; there is nothing to resume.")
    for name in ("model", "source", "seed", "fingerprint", "config"):
        if getattr(before, name) != getattr(now, name):
            raise AdiError(
                f"{folder}: cannot resume with another {name} (started with {getattr(before, name)}, "
                f"now {getattr(now, name)}). Give the same, or train into another folder."
            )


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
