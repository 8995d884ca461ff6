"""The training of a run: epochs over the loader, validation after each, the best epoch's weights kept."""

import json
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.utils.tensorboard import SummaryWriter

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.evaluation.evaluate import Metrics, evaluate
from adi.machine import tune_allocator
from adi.models.catalog import CountedModel, TrainedModel, build, model_named
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.training.checkpoint import Part, Progress, load_checkpoint, save_checkpoint, save_tensors
from adi.training.device import device_named
from adi.training.loader import NO_PSEUDO, Loader, negative_sampler
from adi.training.pseudo_audit import write_audit
from adi.training.run import RunInfo, new_info, read_run, settings_for, weights_file, write_json
from adi.training.self_training import SelfTraining, check_self_training
from adi.training.settings import TrainingSettings
from adi.training.step import Step

CHECKPOINT = "checkpoint.safetensors"
MEAN = "mean"


class Observer(Protocol):
    """Is told how the training goes, such as by a progress bar."""

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None: ...
    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None: ...


def train(
    prepared: Path,
    model: str,
    out: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    device: str = "cpu",
    observer: Observer | None = None,
) -> RunInfo:
    """Fit a model on a prepared dataset; the run's folder then holds all that evaluation and retrieval need.

    Args:
        prepared: the folder that `adi prepare` wrote.
        model: a name of `adi.models.catalog.MODELS`.
        out: the run's folder, new or empty; with `resume` that of an unfinished run of the same model and settings.
        settings: what differs from the model's defaults, see `settings_for`.
        seed: of the weights, the order of the samples, the negatives and the dropout.
        device: where the weights are and steps are done: cpu, cuda or cuda:N. Batches are made on the CPU in any case.

    Raises `AdiError` for unknown models and settings and for folders that do not fit, before anything is written.
    """
    place = device_named(device)
    chosen = settings_for(model, settings)
    kind = model_named(model)
    if not 0 <= seed < 1 << 63:
        raise AdiError(f"--seed: {seed}; give a whole number from 0 to {(1 << 63) - 1}.")
    dataset = Dataset(prepared)
    if isinstance(kind, TrainedModel) and not any(part.validation for part in dataset.manifest.by_domain.values()):
        raise AdiError(
            f"{prepared}: no validation rows to choose the best epoch by. "
            "Raise split.validation in the schema and prepare again."
        )
    if isinstance(kind, CountedModel):
        kind.check(dataset, chosen.model)
    info = new_info(model, seed, chosen, dataset, out)
    if resume:
        _check_same(read_run(out), info, out)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AdiError(f"{out}: exists and is not empty. Go on with --resume, or choose another place with --out.")
    torch.manual_seed(seed)
    towers = build(kind, dataset, chosen.model).to(place) if isinstance(kind, TrainedModel) else None  # type: ignore[arg-type]
    if towers is not None and chosen.training is not None and chosen.training.self_training:
        check_self_training(towers, dataset)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "run.json", info.model_dump_json(indent=1))
    if towers is not None and chosen.training is not None:
        kept = Training(towers, dataset, chosen.training, out, seed, observer).run(resume=resume)
        info = info.model_copy(update={"parameters": sum(p.numel() for p in towers.parameters()), "kept": kept})
    info = info.model_copy(update={"status": "complete"})
    write_json(out / "run.json", info.model_dump_json(indent=1))
    (out / CHECKPOINT).unlink(missing_ok=True)
    return info


def _check_same(before: RunInfo, now: RunInfo, out: Path) -> None:
    """Refuse to resume a run with other settings than it was started with."""
    if before.status == "complete":
        raise AdiError(f"{out}: this run is complete; there is nothing to resume.")
    for name in ("model", "seed", "fingerprint", "config"):
        if getattr(before, name) != getattr(now, name):
            raise AdiError(
                f"{out}: cannot resume with another {name} (started with {getattr(before, name)}, "
                f"now {getattr(now, name)}). Give the same, or train into another folder."
            )


class Training:
    """One training of a two-tower model, from its first or from a saved step to its last."""

    def __init__(
        self,
        model: TwoTower,
        dataset: Dataset,
        settings: TrainingSettings,
        out: Path,
        seed: int,
        observer: Observer | None,
    ) -> None:
        tune_allocator()
        self.model, self.dataset, self.settings, self.out, self.observer = model, dataset, settings, out, observer
        sampler = negative_sampler(dataset, in_batch=settings.in_batch, uniform=settings.uniform)
        self.loader = Loader(
            dataset, batch_size=settings.batch_size, sampler=sampler, causal=settings.causal, seed=seed
        )
        self.step = Step(model, settings)
        self.steps = len(self.loader)
        self.warm_up = int(settings.self_training_start * settings.epochs * self.steps) if settings.self_training else 0
        self.self_training: SelfTraining | None = None
        self.parts: dict[str, Part] = {}
        if settings.self_training:
            self.self_training = SelfTraining(model, dataset, self.loader, settings, start=self.warm_up)
            self.parts["self_training"] = self.self_training
        self.average = self.step.average
        if self.average is not None:
            self.parts["average"] = self.average
        self.progress = Progress()

    def run(self, *, resume: bool) -> dict[str, int]:
        """Train until the last epoch or early stopping; returns the epoch whose weights each domain keeps."""
        checkpoint = self.out / CHECKPOINT
        if resume and checkpoint.exists():
            self.progress = load_checkpoint(checkpoint, self.model, self.step.tables, self.step.dense, self.parts)
        with SummaryWriter(str(self.out / "tensorboard")) as board:
            while not self._is_over():
                self._epoch(checkpoint)
                with nullcontext() if self.average is None else self.average.applied():
                    self._validate(board)
                self._save(checkpoint)
        best = self.progress.best_epoch
        return {name: best[name if self.settings.keep == "domain" else MEAN] for name in self.dataset.domains}

    def _is_over(self) -> bool:
        """Told from what a checkpoint holds, so that a run that was cut off after its last epoch trains no other."""
        epoch = self.progress.epoch
        warm_up = -(-self.warm_up // self.steps)  # epochs, one that is cut counted whole
        since = max([warm_up, *self.progress.best_epoch.values()])
        return epoch >= self.settings.epochs or epoch - since >= self.settings.patience

    def _epoch(self, checkpoint: Path) -> None:
        progress = self.progress
        self.model.train()
        for rows, rng in self.loader.draws(progress.epoch, start=progress.step):
            started = time.perf_counter()
            pseudo = NO_PSEUDO
            if self.self_training is not None:
                pseudo = self.self_training.choose(rows, progress.epoch * self.steps + progress.step)
            chosen = time.perf_counter()
            batch = self.loader.batch(rows, rng, pseudo)
            loss = float(self.step(batch))
            if not math.isfinite(loss):
                raise AdiError(
                    f"epoch {progress.epoch + 1}, step {progress.step + 1}: the loss is {loss}; the training has "
                    "diverged. Lower training.lr or training.embedding_lr."
                )
            done = time.perf_counter()
            if self.self_training is not None:
                self.self_training.audit.spent(
                    scoring=chosen - started, training=done - chosen, pseudo=len(pseudo) / batch.size
                )
            progress.step += 1
            progress.samples += batch.size
            progress.pseudo += len(pseudo)
            progress.loss_sum += loss * batch.size
            progress.seconds += done - started
            if self.observer is not None:
                self.observer.step(
                    epoch=progress.epoch + 1,
                    step=progress.step,
                    steps=self.steps,
                    loss=progress.loss_sum / progress.samples,
                    samples_per_second=progress.samples / progress.seconds,
                )
            if progress.step % self.settings.checkpoint_steps == 0:
                self._save(checkpoint)

    def _save(self, checkpoint: Path) -> None:
        save_checkpoint(checkpoint, self.model, self.step.tables, self.step.dense, self.progress, self.parts)

    def _validate(self, board: SummaryWriter) -> None:
        """Validate, log, keep the best model, and move on to the next epoch."""
        progress, k = self.progress, self.settings.k
        metrics = evaluate(
            VectorScorer(self.model, self.dataset),
            self.dataset,
            part="validation",
            ks=(k,),
            rows_per_domain=self.settings.validation_rows,
        )
        progress.epoch += 1
        best = self._keep(metrics)
        line: dict[str, Any] = {
            "epoch": progress.epoch,
            "step": progress.epoch * self.steps,
            "seconds": progress.seconds,
            "samples": progress.samples,
            "samples_per_second": progress.samples / progress.seconds,
            "loss": progress.loss_sum / progress.samples,
            "validation": {"domains": metrics["domains"], "mean": metrics["mean"]},
        }
        if self.self_training is not None:
            line["pseudo_positives"] = progress.pseudo
            write_audit(self.out, self.self_training.audit.report(start=self.warm_up, steps=line["step"]))
        log = self.out / "log.jsonl"
        earlier = log.read_text(encoding="utf-8").splitlines()[: progress.epoch - 1] if log.exists() else []
        write_json(log, "\n".join([*earlier, json.dumps(line)]))
        board.add_scalar("loss/train", line["loss"], progress.epoch)
        for name, values in metrics["domains"].items():
            if values[f"recall@{k}"] is not None:
                board.add_scalar(f"recall@{k}/{name}", values[f"recall@{k}"], progress.epoch)
        board.add_scalar(f"recall@{k}/mean", metrics["mean"][f"recall@{k}"], progress.epoch)
        if self.observer is not None:
            self.observer.validated(epoch=progress.epoch, metrics=metrics, best=best)
        progress.step, progress.samples, progress.pseudo, progress.loss_sum, progress.seconds = 0, 0, 0, 0.0, 0.0

    def _keep(self, metrics: Metrics) -> bool:
        """Save the weights if this epoch is the best for anything that is watched; forget those no longer the best."""
        progress, key = self.progress, f"recall@{self.settings.k}"
        mean = metrics["mean"][key]
        watched = {MEAN: mean}
        if self.settings.keep == "domain":  # a domain without validation rows goes by the mean of the others
            watched = {name: mean if own[key] is None else own[key] for name, own in metrics["domains"].items()}
        better = [name for name, value in watched.items() if value > progress.best.get(name, -1.0)]
        progress.best |= {name: watched[name] for name in better}
        progress.best_epoch |= dict.fromkeys(better, progress.epoch)
        if better:
            save_tensors(weights_file(self.out, self.settings.keep, progress.epoch), self.model.state_dict())
            kept = {weights_file(self.out, self.settings.keep, epoch) for epoch in progress.best_epoch.values()}
            for former in set(self.out.glob("model*.safetensors")) - kept:
                former.unlink()
        return bool(better)
