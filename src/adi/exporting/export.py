"""Export of a run as a bundle: a folder that answers requests without the run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError

from adi.bundle.manifest import BundleInfo
from adi.data.bids import log_bids
from adi.data.blend import Blend
from adi.data.dataset import Dataset
from adi.errors import AdiError, ArgumentError
from adi.exporting.shared_folder import shared_folder
from adi.exporting.trends import check_audiences
from adi.exporting.writer import BundleWriter
from adi.index.build import IndexSettings
from adi.models.model import Model
from adi.models.vectors import VectorScorer
from adi.processes.start import check_same, joined
from adi.progress import Report, reporting
from adi.runs.info import RunInfo
from adi.strict import describe
from adi.training.fitted import open_run

TIMEOUT = 86400.0
"""Seconds that a process waits for another, which may have larger domains to export."""


@dataclass(frozen=True)
class PlannedSize:
    """Size of a bundle's item vectors: `items` of all `domains`, with `dim` numbers each."""

    domains: int
    items: int
    dim: int
    bytes: int


def planned_size(
    run: str | Path,
    settings: IndexSettings | Mapping[str, Any] | None = None,
    *,
    model: str | Model | None = None,
    prepared: str | Path | None = None,
) -> PlannedSize:
    """Return the size of the indexes of a run's bundle; raises `AdiError` for the run and settings as `export` does."""
    settings = _checked_settings(settings)
    _, dataset, scorers, _ = open_vectors(Path(run), model, prepared)
    items = [len(dataset.corpora.retrievable(domain)) for domain in range(len(dataset.domains))]
    dim = scorers[0].item_vectors(0, dataset.corpora.retrievable(0)[:1]).shape[1]
    size = sum(count * dim * (4 if count < settings.exact_below else 2) for count in items)  # float32, or fp16
    return PlannedSize(len(items), sum(items), dim, size)


def export(
    run: str | Path,
    out: str | Path,
    *,
    settings: IndexSettings | Mapping[str, Any] | None = None,
    queries: int = 2000,
    bid: str | None = None,
    model: str | Model | None = None,
    prepared: str | Path | None = None,
    verify: bool = True,
    progress: bool | Report = True,
) -> BundleInfo:
    """Write a bundle of a run, which is compared with the run and then published, or absent.

    export("runs/adi-se", "bundle", settings={"target": 0.95, "k": 100})

    Args:
        run: the folder of a complete run of a two-tower model.
        out: the folder to write; must be missing or empty.
        settings: of the indexes, as `IndexSettings` or a mapping of some of its fields.
        queries: how many real queries of each domain (its test rows; its users if it has none) are used to tune the
            index and to compare the domain with the run.
        bid: the items' attribute that holds their bids, for requests with a bid weight.
        model: the run's model, if it is not one of adi's own: an object, or its import path "package.module:NAME".
        prepared: another dataset than the run's, with whose users, items and histories the bundle answers.
        verify: compare every file of the run and of the dataset with its digest first.
        progress: show a bar on standard error, in a terminal or a notebook; or a function to report to.

    Where torchrun has started several processes, all of them call it, and each exports some of the domains; `out` is a
    folder that all of them see.

    Returns the manifest of the bundle.

    Raises `AdiError` for a run of a model without vectors, an item without a bid (`adi.data.bids.log_bids`), an index
    below its target, and a bundle that does not answer as the run does.
    """
    settings = _checked_settings(settings)
    with joined(torch.device("cpu"), timeout=TIMEOUT) as processes:
        with processes.agreeing():
            verify = verify and processes.first
            info, dataset, scorers, blend = open_vectors(Path(run), model, prepared, verify=verify)
            check_audiences(scorers)
            if bid is not None:
                for domain in range(len(dataset.domains)):
                    log_bids(dataset, domain, bid)  # raises for an item without a bid; read again to be written
        known = {"run": info.fingerprint, "data": dataset.manifest.fingerprint}
        check_same(processes, known | {"settings": (settings, queries, bid)})
        writer = BundleWriter(processes, info, dataset, scorers, blend, settings, queries, bid)
        with reporting(progress and processes.first) as report, shared_folder(Path(out), processes) as bundle:
            return writer.write(bundle, Path(run), report)


def _checked_settings(settings: IndexSettings | Mapping[str, Any] | None) -> IndexSettings:
    if isinstance(settings, IndexSettings):
        return settings
    try:
        return IndexSettings.model_validate(dict(settings or {}))
    except ValidationError as error:
        raise ArgumentError("settings", describe(error, IndexSettings)) from None


class VectorRun(NamedTuple):
    """A run with vectors: its record, its dataset, the scorer of each domain, and what counts its blend."""

    info: RunInfo
    dataset: Dataset
    scorers: list[VectorScorer]
    blend: Callable[[], Blend] | None


def open_vectors(
    run: Path, model: str | Model | None, prepared: str | Path | None, *, verify: bool = False
) -> VectorRun:
    """Open a run as `open_run` does. Raises `AdiError` for a model without vectors."""
    info, dataset, scorer = open_run(run, model, prepared=prepared, verify=verify)
    scorers = [of_domain for of_domain in scorer.scorers if isinstance(of_domain, VectorScorer)]
    if len(scorers) < len(scorer.scorers):
        raise AdiError(
            f"{run}: a run of {info.model}, which has no vectors for an index. Export a run of a two-tower model, such "
            "as adi-se."
        )
    return VectorRun(info, dataset, scorers, scorer.blend)
