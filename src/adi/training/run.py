"""A run: the folder of one training, and the fitted model in it.

run.json             model, seed, settings, the prepared dataset and its fingerprint, versions, whether it is complete
log.jsonl            a line for each epoch: loss, speed, validation
model.safetensors    the best epoch's weights (models that are trained); with keep: domain, model-N.safetensors for
                     each epoch N that is the best of some domain
self_training.json   what self-training did, where it is on
checkpoint.safetensors   what --resume needs, gone when the training is complete
ranks.parquet        the rank of each test row's item, as `adi evaluate` found it
interest.json        the weight of each feature in each domain, of a model that weighs them
metrics.json         the metrics of those ranks
tensorboard/         the log for TensorBoard
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file

from adi.data.dataset import Dataset
from adi.data.folder import replace_file
from adi.errors import AdiError, suggestion
from adi.models.by_domain import ScorerByDomain
from adi.models.catalog import CountedModel, TrainedModel, build, model_named
from adi.models.scorer import Scorer
from adi.models.vectors import VectorScorer
from adi.schema import Strict, describe
from adi.training.settings import TrainingSettings

FORMAT = 1


class RunSettings(Strict):
    """The settings of a run: of its model, and of its training if the model is trained."""

    model: Strict
    training: TrainingSettings | None


class RunInfo(BaseModel):
    """``run.json``. `prepared` is the dataset's place, relative to the run where that is possible.

    `kept` is the epoch that each domain is scored with; the same for all but with ``keep: domain``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    model: str
    seed: int
    status: Literal["training", "complete"]
    created: str
    domains: tuple[str, ...]
    prepared: str
    fingerprint: str
    parameters: int | None
    kept: dict[str, int] | None = None
    versions: dict[str, str]
    config: dict[str, Any]


def settings_for(model: str, given: Mapping[str, Any] | None = None) -> RunSettings:
    """A model's defaults, overridden by `given`: nested as `{"training": {"epochs": 3}}`, or bare, `{"epochs": 3}`.

    Raises `AdiError` naming the key that does not exist and the nearest that does, or the value that does not fit.
    """
    kind = model_named(model)
    defaults = dict(kind.defaults) if isinstance(kind, TrainedModel) else {}
    sections: dict[str, type[Strict]] = {"model": kind.settings}
    if isinstance(kind, TrainedModel):
        sections["training"] = TrainingSettings
    values: dict[str, dict[str, Any]] = {"model": defaults, "training": {}}
    known = {key: name for name, section in sections.items() for key in section.model_fields}
    for key, value in (given or {}).items():
        if key in sections and isinstance(value, Mapping):
            values[key].update(value)
            continue
        section, _, leaf = key.rpartition(".")
        if isinstance(kind, CountedModel) and leaf in TrainingSettings.model_fields:
            raise AdiError(
                f"setting '{key}' is one of training, and --model {model} is counted, not trained. "
                "Leave it out, or choose a model that is trained, such as adi-se."
            )
        if known.get(leaf) is None or section not in ("", known[leaf]):
            raise AdiError(
                f"setting '{key}' does not exist for --model {model}.{suggestion(leaf, known)} "
                f"Known: {', '.join(f'{name}.{key}' for key, name in known.items()) or 'none'}."
            )
        values[known[leaf]][leaf] = value
    built = {}
    for name, section_type in sections.items():
        try:
            built[name] = section_type.model_validate(values[name])
        except ValidationError as error:
            raise AdiError(f"settings of --model {model}: {name}.{describe(error, section_type)}") from None
    training = built.get("training")
    return RunSettings(model=built["model"], training=training if isinstance(training, TrainingSettings) else None)


def as_config(settings: RunSettings) -> dict[str, Any]:
    """Settings as plain values, as run.json and --show-config have them."""
    config = {"model": settings.model.model_dump(mode="json")}
    if settings.training is not None:
        config["training"] = settings.training.model_dump(mode="json")
    return config


def new_info(model: str, seed: int, settings: RunSettings, dataset: Dataset, out: Path) -> RunInfo:
    """What is known of a run before it starts."""
    return RunInfo(
        model=model,
        seed=seed,
        status="training",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        domains=dataset.domains,
        prepared=os.path.relpath(dataset.folder.resolve(), out.resolve()),
        fingerprint=dataset.manifest.fingerprint,
        parameters=None,
        versions={name: version(name) for name in ("adi-retrieval", "numpy", "pyarrow", "scipy", "torch")},
        config=as_config(settings),
    )


def write_json(path: Path, content: str) -> None:
    """Replace a text file at once."""
    replace_file(path, f"{content}\n".encode())


def read_run(folder: Path) -> RunInfo:
    """Read ``run.json``; raises `AdiError` where the folder is no run."""
    path = folder / "run.json"
    try:
        return RunInfo.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise AdiError(
            f"{folder}: not a run (no run.json). Make one with: adi train PREPARED --model adi-se --out {folder}"
        ) from None
    except ValidationError as error:
        raise AdiError(f"{path}: not a run that this adi wrote: {describe(error, RunInfo)}. Train it again.") from None


def open_run(folder: Path) -> tuple[RunInfo, Dataset, Scorer]:
    """A complete run, its dataset and its fitted model, ready to score.

    Raises `AdiError` for an unfinished run, and for a dataset that is no longer the one it was trained on.
    """
    info = read_run(folder)
    if info.status != "complete":
        raise AdiError(f"{folder}: the training did not finish. Go on with: adi train ... --out {folder} --resume")
    prepared = (folder / info.prepared).resolve()
    dataset = Dataset(prepared)
    if dataset.manifest.fingerprint != info.fingerprint:
        raise AdiError(
            f"{folder}: trained on other data than {prepared} now holds (fingerprint {info.fingerprint}, there "
            f"{dataset.manifest.fingerprint}). Train it again."
        )
    model, settings = model_named(info.model), settings_for(info.model, info.config)
    if isinstance(model, CountedModel):
        return info, dataset, model.fit(dataset, settings.model)
    keep = "mean" if settings.training is None else settings.training.keep
    kept = info.kept or dict.fromkeys(info.domains, 0)
    files = {name: weights_file(folder, keep, kept[name]) for name in info.domains}
    scorers = {}
    for file in set(files.values()):
        towers = build(model, dataset, settings.model)  # type: ignore[arg-type]
        towers.load_state_dict(load_file(file))
        scorers[file] = VectorScorer(towers, dataset)
    if len(scorers) == 1:
        return info, dataset, next(iter(scorers.values()))
    return info, dataset, ScorerByDomain([scorers[files[name]] for name in info.domains])


def weights_file(folder: Path, keep: Literal["mean", "domain"], epoch: int) -> Path:
    """Where a run keeps the weights of an epoch."""
    return folder / ("model.safetensors" if keep == "mean" else f"model-{epoch}.safetensors")


def read_log(folder: Path) -> Sequence[dict[str, Any]]:
    """The lines of ``log.jsonl``, one for each epoch; none for a model that is not trained."""
    path = folder / "log.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
