"""The fitted model of a complete run, ready to score."""

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
    """A complete run: what ``run.json`` says, the dataset it was trained on, and its model's scores by domain."""

    info: RunInfo
    dataset: Dataset
    scorer: ScorerByDomain


def open_run(folder: Path, model: str | Model | None = None) -> FittedRun:
    """Open a complete run.

    Args:
        folder: the run's.
        model: the model where it is not one of adi's own, as an object or as its path ``package.module:NAME``.

    Raises `AdiError` for an unfinished run, for a dataset that is no longer the one it was trained on, and for a model
    that is missing, another, or changed since (`adi.models.source.model_of_run`).
    """
    info = read_info(folder)
    if info.status != "complete":
        raise AdiError(f"{folder}: the training did not finish. Go on with: adi train ... --out {folder} --resume")
    kind = model_of_run(folder, info, model)
    dataset = open_dataset_of(folder, info)
    settings = settings_for(kind, info.config).model
    if isinstance(kind, FittedModel):
        return FittedRun(info, dataset, ScorerByDomain([kind.fit(dataset, settings)] * len(dataset.domains)))
    kept = info.kept or dict.fromkeys(info.domains, 0)
    by_domain = info.config["training"]["keep"] == "domain"
    files = [weights_file(folder, by_domain, kept[name]) for name in info.domains]
    scorers = {file: _vector_scorer(kind, dataset, settings, file) for file in dict.fromkeys(files)}
    return FittedRun(info, dataset, ScorerByDomain([scorers[file] for file in files]))


def _vector_scorer(kind: TrainedModel, dataset: Dataset, settings: Any, weights: Path) -> Scorer:
    towers = kind.build(dataset, settings)
    towers.load_state_dict(load_file(weights))
    return VectorScorer(towers, dataset)
