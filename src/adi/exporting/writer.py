"""Writing of a bundle's files, which several processes divide among them by domain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from adi.bundle.blend import write_blend
from adi.bundle.engine import BundleEngine
from adi.bundle.manifest import (
    COUNTERS,
    DATA,
    FORMAT,
    MANIFEST,
    BundleInfo,
    DomainInfo,
    read_bundle_info,
    version_of,
)
from adi.bundle.provenance import write_provenance
from adi.data.bids import log_bids
from adi.data.blend import Blend
from adi.data.clicks import ClickLog
from adi.data.dataset import Dataset
from adi.data.live_clicks import LiveClicks
from adi.data.sealed import files_in, write_sealed
from adi.errors import AdiError
from adi.exporting.data import write_data
from adi.exporting.domain import DomainExport
from adi.exporting.graphs import Graphs
from adi.exporting.item_vectors import stored_item_vectors
from adi.exporting.lists import COMPARED_QUERIES, check_lists
from adi.exporting.packing import PackedTables
from adi.exporting.queries import sample_queries
from adi.features.reader import FeatureReader
from adi.features.unknown import unknown_values
from adi.index.build import IndexSettings
from adi.models.scorer import ScorerByDomain
from adi.models.vectors import VectorScorer
from adi.processes.group import Processes
from adi.progress import Report
from adi.runs.info import RunInfo


@dataclass(frozen=True)
class BundleWriter:
    """Writes the bundle of a run. Of several processes, each writes some domains, and the first what is not a domain's.

    Args:
        processes: that have opened the run, each for itself; all call the writer together.
        scorers: of each domain.
        blend: counts the blend of the run; None: without one.
        queries: the number of real queries of each domain, see `adi.exporting.export.export`.
        bid: the items' attribute that holds their bids, if any.
    """

    processes: Processes
    info: RunInfo
    dataset: Dataset
    scorers: Sequence[VectorScorer]
    blend: Callable[[], Blend] | None
    settings: IndexSettings
    queries: int
    bid: str | None

    def write(self, bundle: Path, run: Path, report: Report) -> BundleInfo:
        """Write the bundle into a folder that all processes see, and compare it with the run.

        Raises `AdiError` in all processes where it fails in one of them.
        """
        tables = PackedTables(bundle, self.dataset, writes=self.processes.first)
        with self.processes.agreeing():
            if self.processes.first:
                write_data(self.dataset, bundle / DATA)
                write_provenance(run, bundle)
                if self.blend is not None:
                    write_blend(bundle, self.blend())
            for domain, scorer in enumerate(self.scorers):
                tables.write(scorer.model, scorer.model.of_one_domain(int(scorer.domain_codes[domain])).first)
        with self.processes.agreeing():
            domains = self._write_domains(bundle, tables, report)
        of_all = {number: info for part in self.processes.objects(domains) for number, info in part.items()}
        clicks = self.dataset.clicks("frozen") if self.scorers[0].model.has_trends else None
        with self.processes.agreeing():
            if self.processes.first:
                self._write_manifest(bundle, [of_all[number] for number in range(len(self.scorers))], clicks)
        with self.processes.agreeing():
            if clicks is not None or self.blend is not None:
                self._check_lists(BundleEngine(bundle), clicks)
            elif self.processes.first:
                BundleEngine(bundle)  # raises for a bundle that cannot be opened
            return read_bundle_info(bundle)

    def _share(self) -> Sequence[int]:
        """Return the domains of this process: those of all processes are dealt out by their number of items."""
        sizes = [len(self.dataset.corpora.stored_retrievable(domain)) for domain in range(len(self.scorers))]
        return sorted(np.argsort(sizes, kind="stable")[self.processes.rank :: self.processes.count].tolist())

    def _write_domains(self, bundle: Path, tables: PackedTables, report: Report) -> dict[int, DomainInfo]:
        """Write the domains of this process, one after the other."""
        graphs, reader, share = Graphs(), FeatureReader(Dataset(bundle / DATA)), self._share()
        domains = {}
        for done, domain in enumerate(share):
            report("exporting domains", done, len(share))
            scorer, sample = self.scorers[domain], sample_queries(self.dataset, domain, self.queries)
            try:
                logs = None if self.bid is None else log_bids(self.dataset, domain, self.bid)
                with stored_item_vectors(scorer, domain, bundle) as items:
                    export = DomainExport(bundle, graphs, scorer, items, reader, domain, sample, self.settings)
                    domains[domain] = export.write(tables, logs)
            except AdiError as error:
                raise AdiError(f"domain '{self.dataset.domains[domain]}': {error}") from None
        report("exporting domains", len(share), len(share))
        return domains

    def _check_lists(self, engine: BundleEngine, clicks: ClickLog | None) -> None:
        """Compare the lists of this process's domains with the model's; raises `AdiError` where they differ."""
        scorer = ScorerByDomain(self.scorers, self.blend)
        for domain in self._share():
            sample = sample_queries(self.dataset, domain, COMPARED_QUERIES)
            if clicks is not None:
                sample = replace(sample, moments=np.full(len(sample), clicks.end), clicks=clicks)
            added = "the blend" if clicks is None else "trends"
            check_lists(engine, scorer, domain, sample, self.settings, added=added)

    def _write_manifest(self, bundle: Path, domains: Sequence[DomainInfo], clicks: ClickLog | None) -> None:
        """Write the counters of a run with trends, and the manifest of all files."""
        if clicks is not None:
            audiences = [log for scorer in self.scorers if (log := scorer.audiences(clicks)) is not None]
            LiveClicks.of_log(clicks, audiences).save(bundle / COUNTERS)
        files = files_in(bundle, [MANIFEST])
        manifest = BundleInfo(
            format=FORMAT,
            version=version_of(files),
            adi=version("adi-retrieval"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            model=self.info.model,
            fingerprint=self.dataset.manifest.fingerprint,
            unknown=unknown_values(self.dataset),
            bid=self.bid,
            blend=self.info.blend,
            domains=dict(zip(self.dataset.domains, domains, strict=True)),
            versions={name: version(name) for name in ("faiss-cpu", "numpy", "onnxruntime", "torch")},
            files=files,
        )
        write_sealed(bundle / MANIFEST, manifest.model_dump_json(indent=1))
