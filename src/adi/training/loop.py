"""The training of a run: epochs over the loader, validation after each, the best epoch's weights kept."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from adi.batch import Batch
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.evaluation.evaluate import Metrics, evaluate
from adi.losses import sampled_softmax
from adi.machine import tune_allocator
from adi.models.catalog import TrainedModel, build, model_named
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.training.checkpoint import Progress, load_checkpoint, save_checkpoint, save_tensors
from adi.training.loader import Loader, negative_sampler
from adi.training.optimizers import RowwiseAdagrad, dense_optimizer
from adi.training.run import RunInfo, new_info, read_run, settings_for, write_json
from adi.training.settings import TrainingSettings

CHECKPOINT = "checkpoint.safetensors"


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
    observer: Observer | None = None,
) -> RunInfo:
    """Fit a model on a prepared dataset; the run's folder then holds all that evaluation and retrieval need.

    Args:
        prepared: the folder that `adi prepare` wrote.
        model: a name of `adi.models.catalog.MODELS`.
        out: the run's folder, new or empty; with `resume` that of an unfinished run of the same model and settings.
        settings: what differs from the model's defaults, see `settings_for`.
        seed: of the weights, the order of the samples, the negatives and the dropout.

    Raises `AdiError` for unknown models and settings and for folders that do not fit, before anything is written.
    """
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
    info = new_info(model, seed, chosen, dataset, out)
    if resume:
        _check_same(read_run(out), info, out)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AdiError(f"{out}: exists and is not empty. Go on with --resume, or choose another place with --out.")
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "run.json", info.model_dump_json(indent=1))
    if isinstance(kind, TrainedModel) and chosen.training is not None:
        torch.manual_seed(seed)
        towers = build(kind, dataset, chosen.model)  # type: ignore[arg-type]
        Training(towers, dataset, chosen.training, out, seed, observer).run(resume=resume)
        info = info.model_copy(update={"parameters": sum(p.numel() for p in towers.parameters())})
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
        self.tables = RowwiseAdagrad(model.tables, lr=settings.embedding_lr)
        self.dense = dense_optimizer(
            model, lr=settings.lr, weight_decay=settings.weight_decay, delta_decay=settings.delta_decay
        )
        self.progress = Progress()

    def run(self, *, resume: bool) -> None:
        """Train until the last epoch, or until validation has not improved for `patience` epochs."""
        checkpoint = self.out / CHECKPOINT
        if resume and checkpoint.exists():
            self.progress = load_checkpoint(checkpoint, self.model, self.tables, self.dense)
        with SummaryWriter(str(self.out / "tensorboard")) as board:
            while not self._is_over():
                self._epoch(checkpoint)
                self._validate(board)
                save_checkpoint(checkpoint, self.model, self.tables, self.dense, self.progress)

    def _is_over(self) -> bool:
        """Told from what a checkpoint holds, so that a run that was cut off after its last epoch trains no other."""
        epoch, since_best = self.progress.epoch, self.progress.epoch - self.progress.best_epoch
        return epoch >= self.settings.epochs or since_best >= self.settings.patience

    def _epoch(self, checkpoint: Path) -> None:
        progress, steps = self.progress, len(self.loader)
        self.model.train()
        for batch in self.loader.epoch(progress.epoch, start=progress.step):
            started = time.perf_counter()
            loss = float(self.step(batch))
            if not torch.isfinite(torch.tensor(loss)):
                raise AdiError(
                    f"epoch {progress.epoch + 1}, step {progress.step + 1}: the loss is {loss}; the training has "
                    "diverged. Lower training.lr or training.embedding_lr."
                )
            progress.step += 1
            progress.samples += batch.size
            progress.loss_sum += loss * batch.size
            progress.seconds += time.perf_counter() - started
            if self.observer is not None:
                self.observer.step(
                    epoch=progress.epoch + 1,
                    step=progress.step,
                    steps=steps,
                    loss=progress.loss_sum / progress.samples,
                    samples_per_second=progress.samples / progress.seconds,
                )
            if progress.step % self.settings.checkpoint_steps == 0:
                save_checkpoint(checkpoint, self.model, self.tables, self.dense, progress)

    def step(self, batch: Batch) -> Tensor:
        """One step of both optimizers; returns the mean loss of the batch's samples."""
        loss = batch_loss(self.model, batch)
        self.dense.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.tables.step()
        self.dense.step()
        return loss.detach()

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
        value = metrics["mean"][f"recall@{k}"]
        progress.epoch += 1
        best = value > progress.best
        if best:
            progress.best, progress.best_epoch = value, progress.epoch
            save_tensors(self.out / "model.safetensors", self.model.state_dict())
        line = {
            "epoch": progress.epoch,
            "step": progress.epoch * len(self.loader),
            "seconds": progress.seconds,
            "samples": progress.samples,
            "samples_per_second": progress.samples / progress.seconds,
            "loss": progress.loss_sum / progress.samples,
            "validation": {"domains": metrics["domains"], "mean": metrics["mean"]},
        }
        log = self.out / "log.jsonl"
        earlier = log.read_text(encoding="utf-8").splitlines()[: progress.epoch - 1] if log.exists() else []
        write_json(log, "\n".join([*earlier, json.dumps(line)]))
        board.add_scalar("loss/train", line["loss"], progress.epoch)
        for name, values in metrics["domains"].items():
            if values[f"recall@{k}"] is not None:
                board.add_scalar(f"recall@{k}/{name}", values[f"recall@{k}"], progress.epoch)
        board.add_scalar(f"recall@{k}/mean", value, progress.epoch)
        if self.observer is not None:
            self.observer.validated(epoch=progress.epoch, metrics=metrics, best=best)
        progress.step, progress.samples, progress.loss_sum, progress.seconds = 0, 0, 0.0, 0.0


def batch_loss(model: TwoTower, batch: Batch) -> Tensor:
    """The mean over the samples of the sampled softmax, each domain's samples against that domain's candidates."""
    users = model.encode_users(batch.user, batch.user_offsets)  # (B, dim)
    items = model.encode_items(batch.item, batch.item_offsets, batch.item_log_popularity)  # (N, dim)
    losses = [
        sampled_softmax(
            users[batch.user_offsets[domain] : batch.user_offsets[domain + 1]],
            items[batch.item_offsets[domain] : batch.item_offsets[domain + 1]],
            candidates.positive,
            log_q=candidates.log_q,
            positive_log_q=candidates.positive_log_q,
            known=candidates.known,
            temperature=model.temperature,
        )
        for domain, candidates in batch.candidates.items()
    ]
    return torch.stack(losses).sum() / batch.size
