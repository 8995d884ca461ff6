"""A run: the folder of one training and its evaluation.

run.json             model, seed, settings, dataset and status (`adi.runs.info`)
log.jsonl            one line per epoch (`adi.runs.epochs`)
model.safetensors    the weights of the best epoch; with ``keep: domain``, model-N.safetensors for each epoch N that is
                     the best epoch of a domain
self_training.json   an audit of self-training, if it is on (`adi.runs.self_training`)
checkpoint*.safetensors  the state for --resume, of the training and of its refit; removed when the run is complete
failed-checkpoint*.safetensors  the state before a step with a value that is not finite, and its batch; removed as well
metrics.json         the metrics on the test rows (`adi.runs.metrics`)
ranks.parquet        the rank of each test row's item (`adi.runs.ranks`)
lists.parquet        the lists of a sample of test rows (`adi.runs.lists`)
interest.json        the weight of each feature in each domain, for a model with feature weights (`adi.runs.by_feature`)
tensorboard/         the log for TensorBoard

Only this package parses these files.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from adi.data.dataset import Dataset
from adi.data.sealed import unsealed
from adi.errors import AdiError
from adi.runs.epochs import Epoch, read_epochs
from adi.runs.info import RunInfo, read_complete_info
from adi.runs.metrics import FILE as METRICS
from adi.runs.metrics import Metrics
from adi.strict import describe

SEEN_ITEMS = {True: "left out", False: "ranked", None: "left out, but for the query's own, by an older adi"}
"""The treatment of the items of the history, by `Metrics.exclude_seen`."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """An evaluated run. `epochs` is empty for a fitted model, such as popularity."""

    folder: Path
    info: RunInfo
    epochs: tuple[Epoch, ...]
    metrics: Metrics

    @property
    def prepared(self) -> Path:
        """The path of the dataset on which the run was evaluated."""
        return Path(os.path.normpath(self.folder / (self.metrics.prepared or self.info.prepared)))

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the dataset on which the run was evaluated."""
        return self.metrics.fingerprint or self.info.fingerprint

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains in which the run was evaluated, in the order of that data, which may lack some of the run's."""
        return tuple(self.metrics.domains)

    def open_dataset(self) -> Dataset:
        """Open the dataset on which the run was evaluated. Raises `AdiError` if it is missing or has changed since."""
        dataset = Dataset(self.prepared, all_rows=self.info.refit)
        if dataset.manifest.fingerprint != self.fingerprint:
            raise AdiError(
                f"{self.folder}: {self.prepared} has changed since the evaluation (fingerprint {self.fingerprint} "
                f"then, {dataset.manifest.fingerprint} now). Evaluate the run again."
            )
        return dataset


def prepared_of(folder: Path, info: RunInfo) -> Path:
    """The path of the dataset that a run was trained on."""
    return Path(os.path.normpath(folder / info.prepared))


def open_dataset_of(folder: Path, info: RunInfo) -> Dataset:
    """Open the dataset that a run was trained on, after a refit with its validation rows as training rows.

    Raises `AdiError` if it is missing or has changed since.
    """
    prepared = prepared_of(folder, info)
    dataset = Dataset(prepared, all_rows=info.refit)
    if dataset.manifest.fingerprint != info.fingerprint:
        raise AdiError(
            f"{folder}: {prepared} has changed since the training (fingerprint {info.fingerprint} then, "
            f"{dataset.manifest.fingerprint} now). Train the run again, or name the data that it is to read: "
            f"--prepared {prepared}."
        )
    return dataset


def read_run(folder: Path) -> Run:
    """Read an evaluated run. Raises `AdiError` naming the missing or malformed file and the command that writes it."""
    info, metrics = read_complete_info(folder), read_metrics(folder)
    needed = info.domains if metrics.prepared is None else ()  # other data may lack a domain of the run
    if missing := [domain for domain in needed if domain not in metrics.domains]:
        raise AdiError(
            f"{folder / METRICS}: domains: '{missing[0]}' of run.json is missing "
            f"({', '.join(metrics.domains)}). Run 'adi evaluate {folder}' again."
        )
    return Run(folder=folder, info=info, epochs=read_epochs(folder), metrics=metrics)


def read_metrics(folder: Path) -> Metrics:
    """Read the metrics of a run. Raises `AdiError` if it was not evaluated, or if the file is malformed."""
    path, remedy = folder / METRICS, f"'adi evaluate {folder}' writes it."
    try:
        return Metrics.model_validate_json(unsealed(path.read_bytes(), path, remedy))
    except FileNotFoundError:
        raise AdiError(f"{path}: no such file. {remedy}") from None
    except OSError as error:
        raise AdiError(f"{path}: cannot be read: {error}. {remedy}") from None
    except ValidationError as error:
        raise AdiError(f"{path}: {describe(error, Metrics)}. {remedy}") from None


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read several evaluated runs that were tested on the same dataset, queries, corpora and domains.

    Raises `AdiError` for a missing or malformed folder or file, a run that is given twice, and runs with different
    tests.
    """
    if not folders:
        raise AdiError("no runs: give one or more run folders.")
    for number, folder in enumerate(folders):
        if folder.resolve() in [earlier.resolve() for earlier in folders[:number]]:
            raise AdiError(f"{folder}: this run is given twice. Name each run once.")
    runs = [read_run(folder) for folder in folders]
    for run in runs[1:]:
        expected, actual = _test_of(runs[0]), _test_of(run)
        for name in expected:
            if actual[name] != expected[name]:
                raise AdiError(
                    f"{run.folder}: {name}: {actual[name]}, but in {runs[0].folder}: {expected[name]}. These runs "
                    "cannot be compared: compare them separately, or evaluate both with the same options, on one "
                    "prepared dataset (adi evaluate RUN --prepared FOLDER)."
                )
    return runs


def _test_of(run: Run) -> dict[str, str]:
    """The test of a run as text by name; it must be the same for all compared runs."""
    metrics, domains = run.metrics, run.domains
    counts = {
        name: ", ".join(f"{domain} {metrics.domains[domain].get(name)}" for domain in domains)
        for name in ("queries", "corpus")
    }
    return {
        "part": metrics.part,
        "against": metrics.against,
        "seen items": SEEN_ITEMS[metrics.exclude_seen],
        "domains left out of the mean": ", ".join(metrics.left_out) or "none",
        "domains": ", ".join(domains),
        **counts,
        "fingerprint of the data and its split": run.fingerprint,
    }
