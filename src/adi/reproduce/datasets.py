"""Data sets of a grid: their sources, splits and preparation."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import yaml

from adi.data.folder import new_folder
from adi.data.sealed import digest_of, files_in
from adi.documents import read_document
from adi.errors import ArgumentError
from adi.grid.provenance import Provenance, write_provenance
from adi.marketplace.simulation import Marketplace, simulate
from adi.preparation.prepare import prepare
from adi.sources.catalog import convert

MARKETPLACE = "marketplace"
"""The simulated source, which needs no files. All others are in `adi.sources.catalog.SOURCES`."""

FACETS = "marketplace-facets"
"""The data set of the simulated source in which the worth of features differs by domain."""


@dataclass(frozen=True)
class GridDataset:
    """A source, prepared by its own schema or by one with `changes`: keys of the schema and their values.

    `domains` is the number of domains; `about` describes the test. `settings` names the file of tuned settings, by
    default that of the source.
    """

    source: str
    domains: int
    about: str
    changes: Mapping[str, Any] | None = None
    settings: str | None = None


BY_TIME = {"kind": "time", "at": "2017-10-04T15:00:00"}
AT_RANDOM = {"kind": "random", "share": 0.15, "validation": 0.5}
TRENDS = {
    "corpus": "all",
    "trend": {
        "half_lives": ["3m", "10m", "30m", "90m", "4h", "12h"],
        "delay": "30s",
        "co_clicks": {"half_lives": ["30m", "4h", "1d"], "window": 1000, "least_share": 0.001},
        "audience": {"half_lives": ["1h", "6h"]},
    },
}
"""Clicks by time on Globo's news, chosen on validation rows of the test by time."""

DATASETS = {
    "globo-news": GridDataset(
        "globo-news",
        4,
        "Clicks on news. The test is each user's last click in each domain, ranked over the domain's whole corpus.",
    ),
    "globo-news-random": GridDataset(
        "globo-news",
        4,
        "The same clicks. The test is a random 15 % of them, which resemble the training clicks more than last clicks "
        "do. Some training clicks are later than test clicks.",
        changes={"split": AT_RANDOM},
    ),
    "globo-news-time": GridDataset(
        "globo-news",
        4,
        "The same clicks. The test is the 15 % from 15:00 of the third and last day on; queries see only what happened "
        "before. An item without an earlier click in the domain is not in its corpus, so every model misses it.",
        changes={"split": BY_TIME},
        settings="globo-news-time",
    ),
    "globo-news-live": GridDataset(
        "globo-news",
        4,
        "The test by time, live: each query knows the clicks before it, by all users, and every item can be retrieved "
        "in every domain. Weights are those of 15:00.",
        changes={"split": BY_TIME, **TRENDS},
        settings="globo-news-live",
    ),
    "globo-news-last-live": GridDataset(
        "globo-news",
        4,
        "The last clicks, live: each query knows the clicks before it.",
        changes=TRENDS,
        settings="globo-news-last-live",
    ),
    "globo-news-random-live": GridDataset(
        "globo-news",
        4,
        "The clicks at random, live: each query knows the clicks before it.",
        changes={"split": AT_RANDOM, **TRENDS},
        settings="globo-news-last-live",
    ),
    "complete-journey": GridDataset(
        "complete-journey", 3, "Purchases of groceries. The test is the last four weeks, ranked over the whole corpus."
    ),
    MARKETPLACE: GridDataset(
        MARKETPLACE,
        3,
        "Simulated. The test is the last clicks of users in each domain, ranked over the domain's whole corpus.",
    ),
    FACETS: GridDataset(
        MARKETPLACE,
        3,
        "Simulated, with 24 features of users and as many of items, each of which tells of what is taken in one domain "
        "and is noise in the others; most items are in one domain alone. The test is the last clicks.",
        settings=FACETS,
    ),
    "xmrec-wsdm22": GridDataset(
        "xmrec-wsdm22", 3, "Purchases in three markets. The test is the WSDM Cup's: 100 candidates for each user."
    ),
}

FULL = Marketplace()
SMALL = Marketplace(users=800, items=300, interactions=12_000)
"""The marketplace of a full reproduction, and of a quick look."""

WITH_FACETS = Marketplace(
    users=9_230,
    items=4_444,
    interactions=120_000,
    groups=2048,
    clusters=375,
    shared_strength=2.0,
    specific_strength=0.0,
    facets=24,
    facet_strength=2.5,
    profile_strength=0.9,
    user_overlap=0.6,
    item_overlap=0.1,
)
"""A marketplace in which features alone tell what is special in a domain; they say nothing in the other domains."""


def check_sources(parts: Iterable[tuple[str, str]], data: Path | None) -> None:
    """Raises `ArgumentError` where the source of a data set of (table, data set) has no folder in `data`."""
    for table, name in parts:
        source = DATASETS[name].source
        if source == MARKETPLACE or (data is not None and (data / source).is_dir()):
            continue
        fault = f"missing, a folder that contains '{source}'" if data is None else f"{data / source}: no such folder"
        raise ArgumentError(
            "data",
            f"{fault}. {table} runs on {name}: put its published files there (docs/datasets.md has their sources), or "
            f"choose {MARKETPLACE} alone, which needs none.",
        )


def provenance_of(name: str, data: Path | None, *, quick: bool, code: str) -> Provenance:
    """The provenance of a data set that is prepared now."""
    dataset = DATASETS[name]
    if dataset.source == MARKETPLACE:
        source = blake2b(repr(marketplace_of(name, quick)).encode(), digest_size=16).hexdigest()
    else:
        source = digest_of(files_in(_published(dataset, data)), size=16)
    return Provenance(source=source, code=code, changes=None if dataset.changes is None else dict(dataset.changes))


def make_dataset(
    name: str, data: Path | None, folder: Path, provenance: Provenance, *, quick: bool, say: Callable[[str], None]
) -> None:
    """Convert or simulate a data set and prepare it in the new `folder`, which is complete or absent."""
    dataset = DATASETS[name]
    with new_folder(folder) as building:
        tables = building / "tables"
        if dataset.source == MARKETPLACE:
            say(f"simulating {name}")
            simulate(tables, marketplace_of(name, quick), progress=False)
        else:
            say(f"converting {name}")
            convert(dataset.source, _published(dataset, data), tables)
        if dataset.changes is not None:
            _change(tables / "schema.yaml", dataset.changes)
        say(f"preparing {name}")
        prepare(tables, building / "prepared", progress=False)
        shutil.rmtree(tables)
        write_provenance(building, provenance)


def _change(schema: Path, changes: Mapping[str, Any]) -> None:
    content = read_document(schema)
    schema.write_text(yaml.safe_dump({**content, **changes}, sort_keys=False), encoding="utf-8")


def marketplace_of(name: str, quick: bool) -> Marketplace:
    """The settings of a simulated data set."""
    market = WITH_FACETS if name == FACETS else FULL
    return replace(SMALL, facets=market.facets, facet_strength=market.facet_strength) if quick else market


def _published(dataset: GridDataset, data: Path | None) -> Path:
    return (data or Path()) / dataset.source
