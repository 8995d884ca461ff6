"""The training loop: epochs of steps, each followed by validation and a checkpoint."""

import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

from torch.utils.tensorboard import SummaryWriter

from adi.data.dataset import Dataset
from adi.errors import DivergedError
from adi.evaluation.evaluate import evaluate
from adi.losses import Loss
from adi.machine import tune_allocator
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.runs.epochs import Epoch, Validation, append_epoch
from adi.runs.metrics import Metrics
from adi.runs.self_training import write_audit
from adi.training.best_epoch import is_over, keep_if_best, kept_epochs
from adi.training.checkpoint import Progress, Stateful, load_checkpoint, save_checkpoint
from adi.training.loader import NO_PSEUDO, Loader, negative_sampler
from adi.training.self_training import SelfTraining
from adi.training.settings import TrainingSettings
from adi.training.step import Step

CHECKPOINT = "checkpoint.safetensors"


class Observer(Protocol):
    """Receives the progress of a training; a progress bar, for example."""

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None: ...
    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None: ...


class Training:
    """One training of a two-tower model, from the first step or from a checkpoint to the last step."""

    def __init__(
        self,
        model: TwoTower,
        loss: Loss,
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
            dataset,
            batch_size=settings.batch_size,
            sampler=sampler,
            causal=settings.causal,
            seed=seed,
            unknown=settings.unknown,
        )
        self.step = Step(model, settings, loss)
        self.steps = len(self.loader)
        self.warm_up = int(settings.self_training_start * settings.epochs * self.steps) if settings.self_training else 0
        self.self_training: SelfTraining | None = None
        self.parts: dict[str, Stateful] = {}
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
        warm_up_epochs = -(-self.warm_up // self.steps)  # rounded up
        with SummaryWriter(str(self.out / "tensorboard")) as board:
            while not is_over(self.progress, self.settings, warm_up_epochs=warm_up_epochs):
                self._epoch(checkpoint)
                with nullcontext() if self.average is None else self.average.applied():
                    self._validate(board)
                self._save(checkpoint)
        return kept_epochs(self.progress, self.settings, self.dataset.domains)

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
                raise DivergedError(
                    f"epoch {progress.epoch + 1}, step {progress.step + 1}: the loss is {loss}; the training has "
                    "diverged. Lower training.lr or training.embedding_lr."
                )
            done = time.perf_counter()
            if self.self_training is not None:
                self.self_training.audit.add_seconds(
                    scoring=chosen - started, training=done - chosen, pseudo=len(pseudo) / batch.size
                )
            progress.add_step(loss=loss, samples=batch.size, pseudo=len(pseudo), seconds=done - started)
            if self.observer is not None:
                self.observer.step(
                    epoch=progress.epoch + 1,
                    step=progress.step,
                    steps=self.steps,
                    loss=progress.loss,
                    samples_per_second=progress.samples_per_second,
                )
            if progress.step % self.settings.checkpoint_steps == 0:
                self._save(checkpoint)

    def _save(self, checkpoint: Path) -> None:
        save_checkpoint(checkpoint, self.model, self.step.tables, self.step.dense, self.progress, self.parts)

    def _validate(self, board: SummaryWriter) -> None:
        """Validate the epoch, keep its weights if they are the best, log it, and start the next one."""
        progress = self.progress
        metrics = evaluate(
            VectorScorer(self.model, self.dataset),
            self.dataset,
            part="validation",
            known="frozen" if self.dataset.manifest.trend is None else "live",
            ks=(self.settings.k,),
            rows_per_domain=self.settings.validation_rows,
        )
        progress.epoch += 1
        best = keep_if_best(self.model, metrics, progress, self.settings, self.out)
        epoch = Epoch(
            epoch=progress.epoch,
            step=progress.epoch * self.steps,
            seconds=progress.seconds,
            samples=progress.samples,
            samples_per_second=progress.samples_per_second,
            loss=progress.loss,
            validation=Validation(domains=metrics.domains, mean=metrics.mean),
            pseudo_positives=progress.pseudo if self.self_training else None,
        )
        if self.self_training is not None:
            write_audit(self.out, self.self_training.audit.report(start=self.warm_up, steps=epoch.step))
        append_epoch(self.out, epoch)
        self._write_scalars(board, progress.loss, metrics)
        if self.observer is not None:
            self.observer.validated(epoch=progress.epoch, metrics=metrics, best=best)
        progress.start_epoch()

    def _write_scalars(self, board: SummaryWriter, loss: float, metrics: Metrics) -> None:
        """Log the loss and the validation recall of an epoch for TensorBoard."""
        epoch, key = self.progress.epoch, f"recall@{self.settings.k}"
        board.add_scalar("loss/train", loss, epoch)
        for name, measures in metrics.domains.items():
            if measures[key] is not None:
                board.add_scalar(f"{key}/{name}", measures[key], epoch)
        board.add_scalar(f"{key}/mean", metrics.mean[key], epoch)
