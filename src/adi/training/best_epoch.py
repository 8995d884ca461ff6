"""The best epoch of a training: early stopping, and the weights that a run keeps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from adi.models.two_tower import TwoTower
from adi.processes.group import ALONE, Processes
from adi.runs.info import weights_file
from adi.runs.metrics import Metrics
from adi.training.checkpoint import Progress
from adi.training.divided import weights_of
from adi.training.settings import SettingsForData
from adi.training.tensor_file import save_tensors

MEAN = "mean"


def keep_if_best(
    model: TwoTower,
    metrics: Metrics,
    progress: Progress,
    settings: SettingsForData,
    folder: Path,
    processes: Processes = ALONE,
) -> bool:
    """Save the weights of the current epoch if its validation NDCG is the best so far.

    The NDCG is the mean over the domains, or with ``keep: domain`` that of each domain, for which a domain without
    validation rows uses the mean. Recall would count each row as found or not, and so depend more on chance where rows
    are few (docs/method.md). Updates `progress`, and deletes weights that are no longer the best.

    Returns whether the weights were saved.
    """
    key = f"ndcg@{settings.k}"
    mean = metrics.mean[key]
    assert mean is not None  # training refuses a dataset without validation rows
    by_domain = settings.keep == "domain"
    values = {MEAN: mean}
    if by_domain:
        measured = {name: measures[key] for name, measures in metrics.domains.items()}
        values = {name: mean if value is None else value for name, value in measured.items()}
    better = {name: value for name, value in values.items() if value > progress.best_ndcg.get(name, -1.0)}
    progress.best_ndcg |= better
    progress.best_epoch |= dict.fromkeys(better, progress.epoch)
    if better:
        file = weights_file(folder, by_domain, progress.epoch)
        save_tensors(file, weights_of(model), processes=processes)
    if better and processes.first:
        best_files = {weights_file(folder, by_domain, epoch) for epoch in progress.best_epoch.values()}
        for outdated in set(folder.glob("model*.safetensors")) - best_files:
            outdated.unlink()
    return bool(better)


def kept_epochs(progress: Progress, settings: SettingsForData, domains: Sequence[str]) -> dict[str, int]:
    """The epoch whose weights each domain keeps."""
    return {name: progress.best_epoch[name if settings.keep == "domain" else MEAN] for name in domains}


def save_if_kept(
    model: TwoTower,
    kept: Mapping[str, int],
    progress: Progress,
    settings: SettingsForData,
    folder: Path,
    processes: Processes = ALONE,
) -> None:
    """Save the weights of the current epoch of a refit if some domain keeps the weights of so many epochs."""
    if progress.epoch in kept.values():
        file = weights_file(folder, settings.keep == "domain", progress.epoch)
        save_tensors(file, weights_of(model), processes=processes)


def is_over(progress: Progress, settings: SettingsForData, *, warm_up_epochs: int) -> bool:
    """Whether a training has done all its epochs, or has not improved for `patience` epochs after the warm-up.

    It depends only on the content of a checkpoint, so that a run interrupted after its last epoch trains no more.
    """
    last_best = max([warm_up_epochs, *progress.best_epoch.values()])
    return progress.epoch >= settings.epochs or progress.epoch - last_best >= settings.patience
