"""Evaluated runs, read back to stand beside each other: the files of a run's folder, checked.

A run's folder holds ``run.json`` (what was trained, on what), ``log.jsonl`` (a line for each epoch; absent where there
was nothing to train) and, once evaluated, ``metrics.json``. A measure that is undefined is null or NaN there.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.schema import describe

Model = TypeVar("Model", bound="Recorded")

Measures = dict[str, int | float | None]
"""Names like ``recall@50`` to values in [0, 1], and the counts ``queries`` and ``corpus``."""


class Recorded(BaseModel):
    """Frozen, and open to keys that later versions write and nobody here reads."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Card(Recorded):
    """``run.json``: what was trained, with which settings, on which prepared dataset."""

    model: str
    seed: int
    created: str
    domains: tuple[str, ...] = Field(min_length=1)
    prepared: str
    fingerprint: str
    parameters: int | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)


class Validation(Recorded):
    """The held-out part of training, scored after an epoch."""

    domains: dict[str, Measures]
    mean: Measures


class Epoch(Recorded):
    """A line of ``log.jsonl``. `seconds` and `samples` are those of the epoch alone."""

    epoch: int
    seconds: float
    samples: int
    samples_per_second: float
    loss: float | None
    validation: Validation | None = None


class Part(Recorded):
    """The test queries of one group (of a history length, say): how many, and their measures."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: Measures

    group: str
    queries: int

    @property
    def measures(self) -> Measures:
        return self.__pydantic_extra__


class Metrics(Recorded):
    """``metrics.json``: the test part, scored.

    `breakdown`: by what, then domain, then the groups in order. `ranks`: the digest of the ranks that the metrics were
    made from, see `adi.evaluation.ranks`; older runs have none.
    """

    part: str
    against: str
    history: str
    ks: tuple[int, ...] = Field(min_length=1)
    domains: dict[str, Measures]
    mean: Measures
    breakdown: dict[str, dict[str, tuple[Part, ...]]] = Field(default_factory=dict)
    ranks: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training, evaluated. `epochs` is empty where there was nothing to train (popularity, item-kNN)."""

    folder: Path
    card: Card
    epochs: tuple[Epoch, ...]
    metrics: Metrics

    @property
    def prepared(self) -> Path:
        """The prepared dataset, which the run names from its own folder."""
        return Path(os.path.normpath(self.folder / self.card.prepared))

    def open_dataset(self) -> Dataset:
        """The prepared dataset; raises `AdiError` where it is gone, or is another than the run was trained on."""
        dataset = Dataset(self.prepared)
        if dataset.manifest.fingerprint != self.card.fingerprint:
            raise AdiError(
                f"{self.prepared}: holds other data (fingerprint {dataset.manifest.fingerprint}) than "
                f"{self.folder} was trained on ({self.card.fingerprint})."
            )
        return dataset


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read the runs and check that their numbers can stand in one table.

    Raises `AdiError` when a folder or file is missing or malformed, or when two runs were tested on different data,
    queries, corpora or domains.
    """
    if not folders:
        raise AdiError("no runs: give one or more run folders.")
    for number, folder in enumerate(folders):
        if folder.resolve() in [earlier.resolve() for earlier in folders[:number]]:
            raise AdiError(f"{folder}: this run is given twice. Name each run once.")
    runs = [read_run(folder) for folder in folders]
    for run in runs[1:]:
        expected, found = _test(runs[0]), _test(run)
        for name in expected:
            if found[name] != expected[name]:
                raise AdiError(
                    f"{run.folder}: {name}: {found[name]}, but in {runs[0].folder}: {expected[name]}. Such runs do not "
                    "compare: take them apart, or train and evaluate both on one prepared dataset."
                )
    return runs


def read_run(folder: Path) -> Run:
    """Read one run's folder. Raises `AdiError` naming the file at fault and the command that writes it."""
    if not folder.is_dir():
        raise AdiError(f"{folder}: no such run. 'adi train PREPARED --model NAME --out {folder}' makes one.")
    card = _parse(Card, folder / "run.json", f"'adi train PREPARED --model NAME --out {folder}' writes it.")
    metrics = _parse(Metrics, folder / "metrics.json", f"'adi evaluate {folder}' writes it.")
    if missing := [domain for domain in card.domains if domain not in metrics.domains]:
        raise AdiError(
            f"{folder / 'metrics.json'}: domains: '{missing[0]}' of run.json is not in it "
            f"({', '.join(metrics.domains)}). Run 'adi evaluate {folder}' again."
        )
    return Run(folder=folder, card=card, epochs=_read_log(folder / "log.jsonl"), metrics=metrics)


def _test(run: Run) -> dict[str, str]:
    """What a run was tested on, in words: the same for all runs that are compared."""
    metrics, domains = run.metrics, run.card.domains
    counts = {
        name: ", ".join(f"{metrics.domains[domain].get(name)} in {domain}" for domain in domains)
        for name in ("queries", "corpus")
    }
    return {
        "part": metrics.part,
        "against": metrics.against,
        "domains": ", ".join(domains),
        **counts,
        "fingerprint of the data and its split": run.card.fingerprint,
    }


def _read_log(path: Path) -> tuple[Epoch, ...]:
    if not path.exists():
        return ()
    lines = _text(path, "'adi train' writes it.").splitlines()
    return tuple(_validate(Epoch, line, f"{path}, line {number}") for number, line in enumerate(lines, 1))


def _parse(model: type[Model], path: Path, remedy: str) -> Model:
    return _validate(model, _text(path, remedy), str(path))


def _text(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AdiError(f"{path}: no such file. {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise AdiError(f"{path}: cannot be read: {error}. {remedy}") from None


def _validate(model: type[Model], text: str, where: str) -> Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise AdiError(f"{where}: {describe(error, model)}") from None
