"""Opens a complete run: its metadata, its dataset, and its model, ready to score."""

from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.models.model import FittedModel, Model, TrainedModel
from adi.models.scorer import Scorer, ScorerByDomain
from adi.models.source import model_of_run
from adi.models.vectors import VectorScorer
from adi.runs.info import RunInfo, read_info, weights_file
from adi.runs.run import open_dataset_of
from adi.training.settings import settings_for


class FittedRun(NamedTuple):
    """A complete run: the content of ``run.json``, the dataset it was trained on, and its scorer."""

    info: RunInfo
    dataset: Dataset
    scorer: ScorerByDomain


def open_run(folder: Path, model: str | Model | None = None) -> FittedRun:
    """Open a complete run.

    Args:
        folder: the folder of the run.
        model: a custom model, as an object or as its path ``package.module:NAME``; None for a built-in model.

    Raises `AdiError` for an unfinished run, for a dataset that has changed since the training, and for a custom model
    that is missing, not the run's, or changed since (`adi.models.source.model_of_run`).
    """
    info = read_info(folder)
    if info.status != "complete":
        raise AdiError(f"{folder}: the training did not finish. Continue with: adi train ... --out {folder} --resume")
    model = model_of_run(folder, info, model)
    dataset = open_dataset_of(folder, info)
    settings = settings_for(model, info.config).model
    if isinstance(model, FittedModel):
        return FittedRun(info, dataset, ScorerByDomain([model.fit(dataset, settings)] * len(dataset.domains)))
    epochs = info.kept or dict.fromkeys(info.domains, 0)
    by_domain = info.config["training"]["keep"] == "domain"
    files = [weights_file(folder, by_domain, epochs[name]) for name in info.domains]
    scorers = {file: _vector_scorer(model, dataset, settings, file) for file in dict.fromkeys(files)}
    return FittedRun(info, dataset, ScorerByDomain([scorers[file] for file in files]))


def _vector_scorer(model: TrainedModel, dataset: Dataset, settings: Any, weights: Path) -> Scorer:
    """Build the model with saved weights."""
    towers = model.build(dataset, settings)
    towers.load_state_dict(load_file(weights))
    return VectorScorer(towers, dataset)
