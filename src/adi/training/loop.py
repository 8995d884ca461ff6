"""The training loop: epochs over the loader, validation after each, the best epoch's weights kept."""

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
from adi.runs.info import weights_file
from adi.runs.metrics import Metrics
from adi.runs.self_training import write_audit
from adi.training.checkpoint import Part, Progress, load_checkpoint, save_checkpoint, save_tensors
from adi.training.loader import NO_PSEUDO, Loader, negative_sampler
from adi.training.self_training import SelfTraining
from adi.training.settings import TrainingSettings
from adi.training.step import Step

CHECKPOINT = "checkpoint.safetensors"
MEAN = "mean"


class Observer(Protocol):
    """Is told how the training goes, such as by a progress bar."""

    def step(self, *, epoch: int, step: int, steps: int, loss: float, samples_per_second: float) -> None: ...
    def validated(self, *, epoch: int, metrics: Metrics, best: bool) -> None: ...


class Training:
    """One training of a two-tower model, from its first or from a saved step to its last."""

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
            dataset, batch_size=settings.batch_size, sampler=sampler, causal=settings.causal, seed=seed
        )
        self.step = Step(model, settings, loss)
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
                raise DivergedError(
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
        epoch = Epoch(
            epoch=progress.epoch,
            step=progress.epoch * self.steps,
            seconds=progress.seconds,
            samples=progress.samples,
            samples_per_second=progress.samples / progress.seconds,
            loss=progress.loss_sum / progress.samples,
            validation=Validation(domains=metrics.domains, mean=metrics.mean),
            pseudo_positives=progress.pseudo if self.self_training else None,
        )
        if self.self_training is not None:
            write_audit(self.out, self.self_training.audit.report(start=self.warm_up, steps=epoch.step))
        append_epoch(self.out, epoch)
        board.add_scalar("loss/train", epoch.loss, progress.epoch)
        for name, values in metrics.domains.items():
            if values[f"recall@{k}"] is not None:
                board.add_scalar(f"recall@{k}/{name}", values[f"recall@{k}"], progress.epoch)
        board.add_scalar(f"recall@{k}/mean", metrics.mean[f"recall@{k}"], progress.epoch)
        if self.observer is not None:
            self.observer.validated(epoch=progress.epoch, metrics=metrics, best=best)
        progress.step, progress.samples, progress.pseudo, progress.loss_sum, progress.seconds = 0, 0, 0, 0.0, 0.0

    def _keep(self, metrics: Metrics) -> bool:
        """Save the weights if this epoch is the best for anything that is watched; delete those no longer the best."""
        progress, key = self.progress, f"recall@{self.settings.k}"
        mean = metrics.mean[key]
        assert mean is not None  # a dataset without validation rows is refused
        watched = {MEAN: mean}
        if self.settings.keep == "domain":  # a domain without validation rows goes by the mean of the others
            recalls = {name: measures[key] for name, measures in metrics.domains.items()}
            watched = {name: mean if recall is None else recall for name, recall in recalls.items()}
        better = {name: value for name, value in watched.items() if value > progress.best.get(name, -1.0)}
        progress.best |= better
        progress.best_epoch |= dict.fromkeys(better, progress.epoch)
        if better:
            save_tensors(self._weights_file(progress.epoch), self.model.state_dict())
            kept = {self._weights_file(epoch) for epoch in progress.best_epoch.values()}
            for former in set(self.out.glob("model*.safetensors")) - kept:
                former.unlink()
        return bool(better)

    def _weights_file(self, epoch: int) -> Path:
        return weights_file(self.out, self.settings.keep == "domain", epoch)
