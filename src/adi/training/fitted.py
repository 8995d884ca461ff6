"""Opens a complete run: its metadata, its dataset, and its model, ready to score."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file

from adi.data.blend import Blend
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.features.recoding import check_domains, check_trend, open_recoded
from adi.models.blend import counted_blend
from adi.models.decay import decayed_corpora
from adi.models.model import FittedModel, Model, TrainedModel
from adi.models.scorer import Scorer, ScorerByDomain
from adi.models.source import model_of_run
from adi.models.two_tower import TwoTower
from adi.models.vectors import VectorScorer
from adi.processes.group import ALONE, Processes
from adi.runs.coding import read_coding
from adi.runs.info import FILE, REMEDY, RunInfo, check_run, read_complete_info, weights_file
from adi.runs.run import open_dataset_of
from adi.training.settings import settings_for


class FittedRun(NamedTuple):
    """A complete run: the content of ``run.json``, the dataset on which it is opened, and its scorer."""

    info: RunInfo
    dataset: Dataset
    scorer: ScorerByDomain


def open_run(
    folder: Path,
    model: str | Model | None = None,
    *,
    prepared: str | Path | None = None,
    verify: bool = False,
    processes: Processes = ALONE,
) -> FittedRun:
    """Open a complete run, on the dataset it was trained on or on another.

    Args:
        folder: the folder of the run.
        model: a custom model, as an object or as its path ``package.module:NAME``; None for a built-in model.
        prepared: another prepared dataset, which a trained model reads by the coding of its training data
            (`adi.features.recoding`). A model without weights, such as item-knn, is fitted to its training rows.
        verify: compare every file of the run and of the dataset with its digest, and not only with its size.
        processes: that all open the run, and divide among them the items whose vectors they need.

    Raises `AdiError` for an unfinished run, for a missing or damaged file, for a record without a setting of its model
    (of an older adi), for a dataset that has changed since the training, for another one that does not fit the run, and
    for a custom model that is missing, not the run's, or changed since (`adi.models.source.model_of_run`).
    """
    info = read_complete_info(folder)
    verify = verify and processes.first
    check_run(folder, info, digests=verify)
    model = model_of_run(folder, info, model)
    settings = _settings_of(folder, info, model)
    if prepared is None:
        dataset = open_dataset_of(folder, info)
        check_trend(dataset, read_coding(folder, info))
    elif model.trained:
        dataset = open_recoded(prepared, read_coding(folder, info), all_rows=info.refit)
    else:
        dataset = Dataset(prepared, all_rows=info.refit)
        check_domains(dataset, info.domains)
    if verify:
        dataset.verify()
    if isinstance(model, FittedModel):
        return FittedRun(info, dataset, ScorerByDomain([model.fit(dataset, settings)] * len(dataset.domains)))
    scorers = kept_scorers(folder, info, model, dataset, processes)
    return FittedRun(info, dataset, ScorerByDomain(scorers, blend_of(info, dataset)))


def blend_of(info: RunInfo, dataset: Dataset) -> Callable[[], Blend] | None:
    """Counts the blend of a run from the training rows of a dataset, once; None for a run without one."""
    if info.blend is None:
        return None
    weights = {number: info.blend[name] for number, name in enumerate(dataset.domains)}
    half_life = info.config["training"]["row_half_life"]
    return cache(partial(counted_blend, dataset, info.blend_similarity, weights, half_life))


def kept_scorers(
    folder: Path, info: RunInfo, model: TrainedModel, dataset: Dataset, processes: Processes = ALONE
) -> list[Scorer]:
    """The scorer of each domain of a dataset, with the weights of the epoch that it keeps."""
    settings = _settings_of(folder, info, model)
    epochs = info.kept or dict.fromkeys(info.domains, 0)
    by_domain = info.config["training"]["keep"] == "domain"
    files = [weights_file(folder, by_domain, epochs[name]) for name in dataset.domains]
    half_life, pooled = info.config["training"]["row_half_life"], not model.towers.tables_by_domain
    corpora = decayed_corpora(dataset, half_life, pooled=pooled)
    scorers = {
        file: VectorScorer(_with_weights(model, dataset, settings, file), dataset, processes=processes, corpora=corpora)
        for file in dict.fromkeys(files)
    }
    return [scorers[file] for file in files]


def _settings_of(folder: Path, info: RunInfo, model: Model) -> Any:
    """The settings of a run's model.

    Raises `AdiError` for a record that lacks one, of an older adi: what the model did then need not be today's default.
    """
    settings = settings_for(model, info.config).model
    missing = [name for name in type(settings).model_fields if name not in info.config["model"]]
    if missing:
        raise AdiError(
            f"{folder / FILE}: no {', '.join(f'model.{name}' for name in missing)}, which the adi that trained this "
            "run did not have. Train the run again."
        )
    return settings


def _with_weights(model: TrainedModel, dataset: Dataset, settings: Any, weights: Path) -> TwoTower:
    """Build the model with saved weights."""
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise AdiError(f"{weights}: no file of weights ({error}). {REMEDY}") from None
    return model.rebuild(dataset, settings, tensors)
