"""The training loop: epochs of steps, each followed by validation and a checkpoint."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple, NoReturn, Protocol

import numpy as np
import torch

from adi.batch import Batch
from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.errors import AdiError, DivergedError
from adi.evaluation.evaluate import evaluate, known_in_validation
from adi.losses import Loss
from adi.machine import tune_allocator
from adi.models.decay import decayed_corpora
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.processes.group import ALONE, Processes
from adi.runs.epochs import Epoch, Validation, append_epoch
from adi.runs.health import HealthWarning
from adi.runs.metrics import Metrics
from adi.runs.self_training import write_audit
from adi.training.best_epoch import is_over, keep_if_best, kept_epochs, save_if_kept
from adi.training.board import Board
from adi.training.checkpoint import NO_PARTS, FailedBatch, Progress, Stateful, load_checkpoint, save_checkpoint
from adi.training.health import collapsed_domains, dead_towers, empty_domains, exploding_norms, few_rows
from adi.training.loader import NO_PSEUDO, Loader, PseudoPositives, negative_sampler
from adi.training.not_finite import RandomState, first_not_finite, not_finite_weight, random_state, set_random_state
from adi.training.optimizers import TableOptimizer
from adi.training.prefetch import one_ahead
from adi.training.row_weights import row_weights
from adi.training.self_training import SelfTraining
from adi.training.settings import TrainingSettings
from adi.training.step import Step

CHECKPOINT = "checkpoint.safetensors"
REFIT_CHECKPOINT = "checkpoint-refit.safetensors"
FAILED = "failed-"
"""Before the name of a checkpoint: that of the state before a step with a value that is not finite."""
AUDIENCES = "audiences"
"""Folder of the audiences of an epoch, which has its number."""


class Observer(Protocol):
    """Receives the progress of a training; a progress bar, for example.

    `refitting` is called at the start of a refit, whose epochs go on counting and are not validated. `warned` is called
    when a training is not healthy.
    """

    def refitting(self, *, epochs: int) -> None: ...
    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None: ...
    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None: ...
    def warned(self, *, warning: HealthWarning) -> None: ...


class Drawn(NamedTuple):
    """A batch, the training rows and pseudo-positives it is of, and the seconds it took to choose the latter."""

    batch: Batch
    rows: Array
    pseudo: PseudoPositives = NO_PSEUDO
    choosing: float = 0.0


class Training:
    """One training of a two-tower model, from the first step or from a checkpoint to the last step.

    `run` trains on the training rows and validates each epoch; `refit` trains for a given number of epochs, on a
    dataset opened with all rows, and counts its epochs in the records on from `epochs_before`.

    Several processes do the same together, and divide each batch and the rows of a validation; the first writes.

    Args:
        tables: the optimizer of the embedding tables; by default that of tables in one process.
    """

    def __init__(
        self,
        model: TwoTower,
        loss: Loss,
        dataset: Dataset,
        settings: TrainingSettings,
        out: Path,
        seed: int,
        observer: Observer | None,
        *,
        epochs_before: int = 0,
        processes: Processes = ALONE,
        tables: TableOptimizer | None = None,
    ) -> None:
        tune_allocator()
        self.processes = processes
        self.epochs_before = epochs_before
        self.settings = settings = settings.for_data(dataset.manifest)
        self.model, self.dataset, self.out, self.observer = model, dataset, out, observer
        weights = row_weights(dataset, settings.row_half_life)
        self.loader = Loader(
            dataset,
            batch_size=settings.batch_size,
            sampler=negative_sampler(dataset, in_batch=settings.in_batch, uniform=settings.uniform, weights=weights),
            causal=settings.causal,
            seed=seed,
            unknown=settings.unknown_items,
            weights=weights,
            corpora=decayed_corpora(dataset, settings.row_half_life, pooled=not model.tables_by_domain),
            processes=processes,
        )
        users = [domain.users for domain in dataset.manifest.by_domain.values()]
        self.step = Step(model, settings, loss, processes, tables, users)
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
        self.board = Board(out)

    def run(self, *, resume: bool) -> dict[str, int]:
        """Train until the last epoch or early stopping; returns the epoch whose weights each domain keeps."""
        checkpoint = self.out / CHECKPOINT
        self._load(checkpoint, resume)
        self._warn(empty_domains(self.dataset))
        self._warn(few_rows(self.loader.weights, epoch=1))
        warm_up_epochs = -(-self.warm_up // self.steps)  # rounded up
        while not is_over(self.progress, self.settings, warm_up_epochs=warm_up_epochs):
            self._epoch(checkpoint)
            with self._averaged():
                self._validate()
            self._checkpoint(checkpoint)
        return kept_epochs(self.progress, self.settings, self.dataset.domains)

    def refit(self, kept: Mapping[str, int], *, resume: bool) -> None:
        """Train for as many epochs as `kept` says, and save the weights of each epoch that a domain keeps."""
        checkpoint = self.out / REFIT_CHECKPOINT
        self._load(checkpoint, resume)
        if self.observer is not None:
            self.observer.refitting(epochs=max(kept.values()))
        self._warn(few_rows(self.loader.weights, epoch=self._epoch_number))
        while self.progress.epoch < max(kept.values()):
            self._epoch(checkpoint)
            self.progress.epoch += 1
            with self._averaged():
                save_if_kept(self.model, kept, self.progress, self.settings, self.out, self.processes)
            self._record(None)
            self._checkpoint(checkpoint)

    def _load(self, checkpoint: Path, resume: bool) -> None:
        if resume and checkpoint.exists():
            self.progress = load_checkpoint(
                checkpoint, self.model, self.step.tables, self.step.dense, self.parts, processes=self.processes
            )

    def _epoch(self, checkpoint: Path) -> None:
        progress = self.progress
        self._set_audiences()
        self.model.train()
        started = time.perf_counter()
        for drawn in self._batches():
            batch, num_pseudo = drawn.batch, len(drawn.pseudo)
            loss = self._step(drawn, checkpoint)
            done = time.perf_counter()
            if self.self_training is not None:
                self.self_training.audit.add_seconds(
                    scoring=drawn.choosing, training=done - started - drawn.choosing, pseudo=num_pseudo / batch.size
                )
            progress.add_step(loss=loss, samples=batch.size, pseudo=num_pseudo, seconds=done - started)
            if self.observer is not None:
                self.observer.step(
                    epoch=self._epoch_number,
                    step=progress.step,
                    steps=self.steps,
                    loss=progress.loss,
                    samples_per_second=progress.samples_per_second,
                )
            if progress.step % self.settings.checkpoint_steps == 0:
                self._checkpoint(checkpoint)
            started = time.perf_counter()

    def _step(self, drawn: Drawn, checkpoint: Path) -> float:
        """Train on a batch; returns its loss. A step whose numbers are not finite is not applied, but kept."""
        before = random_state(self.model.tables.device)
        vitals = self.step.gradients(drawn.batch)
        numbers: list[float] = torch.stack(vitals).tolist()  # at once: each reading waits for a GPU
        loss, gradients, embeddings = numbers
        if not math.isfinite(loss + gradients + embeddings):
            self._stop(drawn, before, checkpoint, loss)
        self._warn(
            exploding_norms(
                self.progress, self.step, gradients=gradients, embeddings=embeddings, epoch=self._epoch_number
            )
        )
        self.step.update()
        return loss

    def _stop(self, drawn: Drawn, before: RandomState, checkpoint: Path, loss: float) -> NoReturn:
        """Raise `DivergedError` for a step with a value that is not finite; a checkpoint keeps the state before it."""
        fault = first_not_finite(self.step, drawn.batch, before, self.processes)
        set_random_state(before)
        kept = checkpoint.with_name(f"{FAILED}{checkpoint.name}")
        domains = np.concatenate([self.dataset.targets("train", drawn.rows)[2], drawn.pseudo.domains])
        rows = np.concatenate([drawn.rows, drawn.pseudo.rows])
        saved = f"{kept} has the batch."
        try:
            self._save(kept, {"batch": FailedBatch(torch.from_numpy(rows), torch.from_numpy(domains))})
        except AdiError as error:  # a full disk, which must not hide the fault
            saved = f"The batch is not kept: {error}"
        position = f"epoch {self._epoch_number}, step {self.progress.step + 1}"
        sentences = fault.sentences(self.dataset.domains)
        raise DivergedError(f"{position}: the loss is {loss}; the training has diverged. {sentences} {saved}")

    @property
    def _epoch_number(self) -> int:
        """The number of the current epoch in messages and records, from 1."""
        return self.epochs_before + self.progress.epoch + 1

    def _warn(self, warnings: Iterable[HealthWarning]) -> None:
        """Record warnings with the epoch, and show them, each subject once."""
        for warning in warnings:
            if warning.subject not in self.progress.warned:
                self.progress.warned.append(warning.subject)
                self.progress.warnings.append(warning.model_dump())
                if self.observer is not None:
                    self.observer.warned(warning=warning)

    def _set_audiences(self) -> None:
        """Give the loader the audiences by the tastes at the end of the epoch before; the first epoch has none.

        They stay in the run's folder until the next epoch, so that a resumed training goes on with the same.
        """
        epoch, clicks = self.progress.epoch, self.dataset.clicks("frozen")
        if self.loader.moments is None or clicks is None or not self.model.audience_dim or not epoch:
            return
        folder = self._audience_folder()
        if self.progress.step and not folder.is_dir():
            raise AdiError(f"{folder}: missing, so the training cannot be resumed. Train into another folder.")
        # In the middle of an epoch they are only read. Reading the average there would round it once more.
        with nullcontext() if self.progress.step else self._averaged():
            scorer = self._scorer(folder)
            self.loader.moments.audiences = scorer.audiences(clicks)
        if self.processes.first:
            for other in folder.parent.iterdir():
                if other != folder:
                    rmtree(other)

    def _scorer(self, audiences: Path) -> VectorScorer:
        return VectorScorer(self.model, self.dataset, audiences, self.processes, corpora=self.loader.corpora)

    def _audience_folder(self) -> Path:
        """The folder of the audiences of the current epoch."""
        return self.out / AUDIENCES / str(self.epochs_before + self.progress.epoch)

    def _averaged(self) -> AbstractContextManager[None]:
        """The averaged weights in place of the last ones, where weights are averaged."""
        return nullcontext() if self.average is None else self.average.applied()

    def _batches(self) -> Iterator[Drawn]:
        """The batches of the epoch from the next step on.

        Without pseudo-positives, a batch is built while the step before runs: with trends, building takes as long as a
        step.
        """
        progress, draws = self.progress, self.loader.draws(self.progress.epoch, start=self.progress.step)
        if self.self_training is None:
            yield from one_ahead(lambda draw: Drawn(self.loader.batch(*draw), draw[0]), draws)
            return
        for rows, rng in draws:
            started = time.perf_counter()
            pseudo = self.self_training.choose(rows, progress.epoch * self.steps + progress.step)
            choosing = time.perf_counter() - started
            yield Drawn(self.loader.batch(rows, rng, pseudo), rows, pseudo, choosing)

    def _checkpoint(self, path: Path) -> None:
        """Save a checkpoint; with a weight that is not finite, leave the last one and raise `DivergedError`."""
        where = next(filter(None, self.processes.objects(not_finite_weight(self.model))), None)
        if where is not None:
            raise DivergedError(
                f"after epoch {self.progress.epoch}, step {self.progress.step}: {where} is not finite; the training "
                "has diverged. Lower training.lr or training.embedding_lr."
            )
        self._save(path)

    def _save(self, checkpoint: Path, parts: Mapping[str, Stateful] = NO_PARTS) -> None:
        step, parts = self.step, {**self.parts, **parts}
        save_checkpoint(checkpoint, self.model, step.tables, step.dense, self.progress, parts, processes=self.processes)

    def _validate(self) -> None:
        """Validate the epoch, keep its weights if they are the best, record it, and start the next one."""
        progress = self.progress
        progress.epoch += 1
        scorer = self._scorer(self._audience_folder())
        metrics = evaluate(
            scorer,
            self.dataset,
            part="validation",
            known=known_in_validation(self.dataset),
            ks=(self.settings.k,),
            rows_per_domain=self.settings.validation_rows,
            processes=self.processes,
        )
        self._warn(collapsed_domains(metrics, k=self.settings.k, epoch=progress.epoch))
        self._warn(dead_towers(scorer, self.dataset, epoch=progress.epoch))
        best = keep_if_best(self.model, metrics, progress, self.settings, self.out, self.processes)
        if self.self_training is not None and self.processes.first:
            steps = progress.epoch * self.steps
            write_audit(self.out, self.self_training.audit.report(start=self.warm_up, steps=steps))
        self._record(metrics)
        if self.observer is not None:
            self.observer.validated(epoch=progress.epoch, metrics=metrics, best=best)

    def _record(self, metrics: Metrics | None) -> None:
        """Log the epoch that has ended, of a refit without metrics, and start the next one."""
        progress = self.progress
        epoch = Epoch(
            epoch=self.epochs_before + progress.epoch,
            step=progress.epoch * self.steps,
            seconds=progress.seconds,
            samples=progress.samples,
            samples_per_second=progress.samples_per_second,
            loss=progress.loss,
            validation=None if metrics is None else Validation(domains=metrics.domains, mean=metrics.mean),
            pseudo_positives=progress.pseudo if self.self_training else None,
            refit=metrics is None,
            warnings=tuple(HealthWarning.model_validate(warning) for warning in progress.warnings),
        )
        if self.processes.first:
            append_epoch(self.out, epoch)
            self.board.add(_curves(progress.loss, metrics, f"recall@{self.settings.k}"), progress.epoch)
        progress.start_epoch()


def _curves(loss: float, metrics: Metrics | None, recall: str) -> dict[str, float]:
    """The scalars of an epoch, of a refit without metrics."""
    if metrics is None:
        return {"loss/refit": loss}
    recalls = {name: measures[recall] for name, measures in metrics.domains.items()} | {"mean": metrics.mean[recall]}
    return {"loss/train": loss} | {f"{recall}/{name}": value for name, value in recalls.items() if value is not None}
