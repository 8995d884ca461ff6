"""Export of a run as a bundle: a folder that answers requests without the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from adi.bundle.engine import BundleEngine
from adi.bundle.manifest import COUNTERS, DATA, FORMAT, MANIFEST, BundleInfo, files_in, version_of
from adi.bundle.provenance import write_provenance
from adi.data.bids import log_bids
from adi.data.dataset import Dataset
from adi.data.folder import new_folder, replace_text
from adi.data.live_clicks import LiveClicks
from adi.data.manifest import NULL_ROW
from adi.data.queries import Queries
from adi.errors import AdiError, ArgumentError
from adi.exporting.data import write_data
from adi.exporting.domain import DomainExport, evenly_spaced
from adi.exporting.graphs import Graphs
from adi.exporting.item_vectors import stored_item_vectors
from adi.exporting.packing import PackedTables
from adi.exporting.trends import TRENDS_QUERIES, check_audiences, check_trends
from adi.features.reader import FeatureReader
from adi.features.unknown import unknown_values
from adi.index.build import IndexSettings
from adi.models.model import Model
from adi.models.vectors import VectorScorer
from adi.progress import Report, reporting
from adi.runs.info import RunInfo
from adi.strict import describe
from adi.training.fitted import open_run


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
    _, dataset, scorers = open_vectors(Path(run), model, prepared)
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
        progress: show a bar on standard error, in a terminal or a notebook; or a function to report to.

    Returns the manifest of the bundle.

    Raises `AdiError` for a run of a model without vectors, an item without a bid (`adi.data.bids.log_bids`), an index
    below its target, and a bundle that does not answer as the run does.
    """
    settings = _checked_settings(settings)
    info, dataset, scorers = open_vectors(Path(run), model, prepared)
    check_audiences(scorers)
    if bid is not None:
        for domain in range(len(dataset.domains)):
            log_bids(dataset, domain, bid)  # raises for an item without a bid; read again when the domain is written
    with reporting(progress) as report, new_folder(Path(out)) as bundle:
        write_data(dataset, bundle / DATA)
        write_provenance(Path(run), bundle)
        tables, graphs, reader = PackedTables(bundle, dataset), Graphs(), FeatureReader(Dataset(bundle / DATA))
        domains = {}
        for domain, (name, scorer) in enumerate(zip(dataset.domains, scorers, strict=True)):
            report("exporting domains", domain, len(scorers))
            try:
                sample = sample_queries(dataset, domain, queries)
                logs = None if bid is None else log_bids(dataset, domain, bid)
                with stored_item_vectors(scorer, domain, bundle) as items:
                    of_domain = DomainExport(bundle, graphs, scorer, items, reader, domain, sample, settings)
                    domains[name] = of_domain.write(tables, logs)
            except AdiError as error:
                raise AdiError(f"domain '{name}': {error}") from None
        report("exporting domains", len(scorers), len(scorers))
        clicks = dataset.clicks("frozen") if scorers[0].model.has_trends else None
        if clicks is not None:
            audiences = [log for scorer in scorers if (log := scorer.audiences(clicks)) is not None]
            LiveClicks.of_log(clicks, audiences).save(bundle / COUNTERS)
        files = files_in(bundle)
        manifest = BundleInfo(
            format=FORMAT,
            version=version_of(files),
            adi=version("adi-retrieval"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            model=info.model,
            fingerprint=dataset.manifest.fingerprint,
            unknown=unknown_values(dataset),
            bid=bid,
            domains=domains,
            versions={name: version(name) for name in ("faiss-cpu", "numpy", "onnxruntime", "torch")},
            files=files,
        )
        replace_text(bundle / MANIFEST, manifest.model_dump_json(indent=1))
        engine = BundleEngine(bundle)  # raises for a bundle that cannot be opened
        if clicks is not None:
            for domain, scorer in enumerate(scorers):
                check_trends(engine, scorer, domain, sample_queries(dataset, domain, TRENDS_QUERIES), clicks, settings)
    return manifest


def _checked_settings(settings: IndexSettings | Mapping[str, Any] | None) -> IndexSettings:
    if isinstance(settings, IndexSettings):
        return settings
    try:
        return IndexSettings.model_validate(dict(settings or {}))
    except ValidationError as error:
        raise ArgumentError("settings", describe(error, IndexSettings)) from None


def open_vectors(
    run: Path, model: str | Model | None, prepared: str | Path | None
) -> tuple[RunInfo, Dataset, list[VectorScorer]]:
    """Open a run, with the scorer of each domain; raises `AdiError` for a model without vectors."""
    info, dataset, scorer = open_run(run, model, prepared=prepared)
    scorers = [of_domain for of_domain in scorer.scorers if isinstance(of_domain, VectorScorer)]
    if len(scorers) < len(scorer.scorers):
        raise AdiError(
            f"{run}: a run of {info.model}, which has no vectors for an index. Export a run of a two-tower model, such "
            "as adi-se."
        )
    return info, dataset, scorers


def sample_queries(dataset: Dataset, domain: int, most: int) -> Queries:
    """Return real queries of a domain: some of its test rows, evenly spaced, or some of all users if it has none."""
    rows = dataset.rows("test")
    rows = rows[dataset.targets("test", rows)[2] == domain]
    if len(rows):
        return dataset.queries("test", rows[evenly_spaced(len(rows), most)])
    users = evenly_spaced(dataset.manifest.users, most)
    context = {feature.name: np.full(len(users), NULL_ROW) for feature in dataset.manifest.side("context")}
    return dataset.latest(users, np.full(len(users), domain), context)
