"""The data sets of the portfolio: public logs, marketplaces of several shapes, and small samples of both."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import duckdb
import yaml

from adi.data.folder import new_folder
from adi.data.sealed import digest_of, files_in
from adi.engines.tables import quoted
from adi.grid.folder import GridFolder
from adi.grid.provenance import Provenance, write_provenance
from adi.grid.versions import Version, clear_stale, manifests_in, this_code
from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare
from adi.reproduce.datasets import TRENDS
from adi.sources.catalog import convert
from benchmarks.portfolio.inner import leave_out_test
from benchmarks.report import announce

MARKETPLACE = "marketplace"
AT_RANDOM = {"split": {"kind": "random", "share": 0.15}}
BY_TIME = {"split": {"kind": "time", "at": "2017-10-04T15:00:00"}}

Change = Callable[[dict[str, Any]], None]
"""Edits the content of a schema.yaml."""


@dataclass(frozen=True)
class PortfolioDataset:
    """A data set as somebody would bring it.

    Args:
        source: a public data set of `adi.sources.catalog`, or ``marketplace``. Rules are tested on a source by fitting
            them to all other sources.
        about: its shape, in a few words.
        market: the settings of a marketplace.
        domains: the domains whose rows are kept; None: all.
        users: the share of users whose rows are kept, drawn by a hash of the id.
        keys: keys of the schema and their values, in place of the source's.
        changes: further edits of the schema.
    """

    source: str
    about: str
    market: Marketplace | None = None
    domains: tuple[str, ...] | None = None
    users: float = 1.0
    keys: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def sample(self, share: float) -> "PortfolioDataset":
        return replace(self, about=f"{share:.0%} of the users of: {self.about}", users=share)


def ids_only(schema: dict[str, Any]) -> None:
    """Leave out every feature but the histories and the item's id."""
    features = schema["features"]
    features["user"] = [feature for feature in features["user"] if feature["kind"] == "behaviours"]
    features["item"] = [feature for feature in features["item"] if feature["kind"] == "id"]
    features.pop("context", None)
    schema["tables"] = {}


def without_time(schema: dict[str, Any]) -> None:
    """Leave out the time of the log, and hold out rows at random."""
    del schema["interactions"]["time"]
    schema["split"] = {"kind": "random", "share": 0.1}


XMREC = PortfolioDataset(
    "xmrec-wsdm22",
    "three markets, ids alone, no time, no user in two domains",
    keys={"split": {"kind": "files", "test": "test.parquet"}},
)
GLOBO = PortfolioDataset("globo-news", "clicks on news by referrer, the test is the last clicks")
GLOBO_LIVE = replace(
    GLOBO, about="the last nine hours, of which each query knows the clicks before it", keys={**BY_TIME, **TRENDS}
)
MOVIELENS = PortfolioDataset("movielens-1m", "films by age band: long histories, no user in two domains")
JOURNEY = PortfolioDataset("complete-journey", "groceries by promotion: long histories, many features, repeats")
MARKET = PortfolioDataset(MARKETPLACE, "features of users and items", Marketplace(users=8000, interactions=120_000))
FACETS = replace(
    MARKET,
    about="twelve more features of users and items, each of which matters in one domain; few items in two domains",
    market=Marketplace(users=8000, interactions=120_000, facets=12, item_overlap=0.1, seed=1),
)


def _market(about: str, *changes: Change, **settings: Any) -> PortfolioDataset:
    return PortfolioDataset(MARKETPLACE, about, Marketplace(**settings), changes=changes)


DATASETS = {
    "xmrec": XMREC,
    "xmrec-s1-s2": replace(XMREC, about="two of the markets", domains=("s1", "s2")),
    "xmrec-s1-s3": replace(XMREC, about="two of the markets", domains=("s1", "s3")),
    "xmrec-s2-s3": replace(XMREC, about="two of the markets", domains=("s2", "s3")),
    "globo-last": GLOBO,
    "globo-random": replace(GLOBO, about="the same clicks, the test is 15 % at random", keys=AT_RANDOM),
    "globo-time": replace(GLOBO, about="the same clicks, the test is the last nine hours", keys=BY_TIME),
    "globo-live": GLOBO_LIVE,
    "movielens": MOVIELENS,
    "journey": JOURNEY,
    "market-rich": MARKET,
    "market-facets": FACETS,
    "market-tiny": _market("few rows", users=400, items=200, interactions=6_000),
    "market-skewed": _market(
        "a few items have most clicks, five domains of very different size",
        users=6000, items=3000, interactions=90_000, domains=5, popularity_skew=1.3,
    ),
    "market-apart": _market(
        "no user and no item in two domains",
        users=6000, items=3000, interactions=90_000, user_overlap=0, item_overlap=0,
    ),
    "market-no-time": _market(
        "no time, the test is random", without_time, users=6000, items=3000, interactions=90_000, seed=1
    ),
    "market-many": _market("twenty domains", users=8000, items=4000, interactions=120_000, domains=20),
    "market-ids": _market(
        "seven small domains, ids alone", ids_only, users=4000, items=2500, interactions=60_000, domains=7
    ),
    "xmrec-10": XMREC.sample(0.1),
    "xmrec-1": XMREC.sample(0.01),
    "globo-10": GLOBO.sample(0.1),
    "globo-1": GLOBO.sample(0.01),
    "globo-live-10": GLOBO_LIVE.sample(0.1),
    "globo-live-1": GLOBO_LIVE.sample(0.01),
    "movielens-10": MOVIELENS.sample(0.1),
    "movielens-1": MOVIELENS.sample(0.01),
    "journey-10": JOURNEY.sample(0.1),
    "journey-1": JOURNEY.sample(0.01),
    "market-rich-10": MARKET.sample(0.1),
    "market-rich-1": MARKET.sample(0.01),
    "market-facets-10": FACETS.sample(0.1),
}  # fmt: skip


def provenance_of(dataset: PortfolioDataset, data: Path | None, *, inner: bool, code: str) -> Provenance:
    """The provenance of a data set that is made now: its definition, its published files, and the code."""
    changes = [change.__name__ for change in dataset.changes]
    definition = repr((replace(dataset, about="", changes=()), changes, inner))
    digest = blake2b(definition.encode(), digest_size=8).hexdigest()
    files = "" if dataset.market is not None or data is None else digest_of(files_in(data / dataset.source), size=16)
    return Provenance(source=files, code=code, schema_digest=digest)


def prepared_datasets(
    folder: GridFolder, names: Sequence[str], data: Path | None, *, inner: bool = False, redo: bool
) -> Version:
    """Make the data sets that are not in a folder yet; returns the version of the results that are made from them.

    Raises `AdiError` for one that other code, files or another definition made, unless `redo`, which makes it again.
    """
    code = this_code()
    provenances = {name: provenance_of(DATASETS[name], data, inner=inner, code=code) for name in names}
    clear_stale(folder, provenances, [], code=code, redo=redo)
    for name, provenance in provenances.items():
        if not folder.data(name).exists():
            announce(f"preparing {name}{' without its test' if inner else ''}")
            make_dataset(DATASETS[name], data, folder.data(name), provenance, inner=inner)
    return Version(code, manifests_in(folder))


def make_dataset(
    dataset: PortfolioDataset, data: Path | None, folder: Path, provenance: Provenance, *, inner: bool = False
) -> None:
    """Convert or simulate a data set and prepare it, into the new `folder`, which is complete or absent.

    With `inner`, it is the log without its test rows, split again in the same way: rules are fitted to such data.
    """
    with new_folder(folder) as building:
        tables = building / "tables"
        if dataset.market is not None:
            simulate(tables, dataset.market, progress=False)
        else:
            assert data is not None
            convert(dataset.source, data / dataset.source, tables)
        schema = yaml.safe_load((tables / "schema.yaml").read_text(encoding="utf-8"))
        schema |= dataset.keys
        for change in dataset.changes:
            change(schema)
        if dataset.domains is not None:
            schema["domains"]["values"] = list(dataset.domains)
        _keep_rows(dataset, tables, schema)
        if inner:
            leave_out_test(tables, schema)
        (tables / "schema.yaml").write_text(yaml.safe_dump(schema, sort_keys=False), encoding="utf-8")
        prepare(tables, building / "prepared", progress=False)
        shutil.rmtree(tables)
        write_provenance(building, provenance)


def _keep_rows(dataset: PortfolioDataset, tables: Path, schema: Mapping[str, Any]) -> None:
    """Leave out of the log, and of the test where it is a file, the rows of other domains and of users not drawn."""
    user, domain = quoted(schema["interactions"]["user"]), quoted(schema["domains"]["column"])
    kept = [f"hash({user}::VARCHAR) % 10000 < {round(10_000 * dataset.users)}"] if dataset.users < 1 else []
    if dataset.domains is not None:
        kept.append(f"{domain} IN ({', '.join(repr(name) for name in dataset.domains)})")
    if not kept:
        return
    logs = [schema["interactions"]["path"], schema["split"].get("test")]
    for path in [path for log in logs if log for path in sorted(tables.glob(log))]:
        smaller = path.with_suffix(".smaller")
        duckdb.execute(f"COPY (FROM '{path}' WHERE {' AND '.join(kept)}) TO '{smaller}' (FORMAT parquet)")
        smaller.replace(path)
