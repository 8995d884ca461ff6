"""The data sets of a grid: which there are to run, where they come from, and how they are prepared."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from adi.data.arrays import fingerprint
from adi.data.folder import new_folder
from adi.errors import AdiError
from adi.marketplace.simulation import Marketplace, simulate
from adi.preparation.prepare import prepare
from adi.sources.catalog import convert

MARKETPLACE = "marketplace"
"""The source that is simulated; it needs no files. Every other one is of `adi.sources.catalog.SOURCES`."""


@dataclass(frozen=True)
class GridData:
    """What tables run on: a source, cut into training and test by its own schema or by another `split`.

    `domains` is how many it has; `about` says what its test is. Settings are tuned by source.
    """

    source: str
    domains: int
    about: str
    split: Mapping[str, Any] | None = None


DATASETS = {
    "globo-news": GridData(
        "globo-news",
        4,
        "Clicks on news. The test is the last click of each user in each domain, over its whole corpus.",
    ),
    "globo-news-random": GridData(
        "globo-news",
        4,
        "The same clicks. The test is 15 % of them, drawn at random: more like those that are trained on than the "
        "last ones are. Some clicks of training are later.",
        split={"kind": "random", "share": 0.15, "validation": 0.5},
    ),
    "globo-news-time": GridData(
        "globo-news",
        4,
        "The same clicks. The test is those from 15:00 of the third and last day on, 15 % of all, asked with what was "
        "known until then. An item that had no click in the domain is not in its corpus, and missed by every model.",
        split={"kind": "time", "at": "2017-10-04T15:00:00", "validation": 0.5},
    ),
    "complete-journey": GridData(
        "complete-journey", 3, "Purchases of groceries. The test is the last four weeks, over the whole corpus."
    ),
    MARKETPLACE: GridData(
        MARKETPLACE, 3, "Simulated. The test is the last clicks of users in each domain, over its whole corpus."
    ),
    "xmrec-wsdm22": GridData(
        "xmrec-wsdm22", 3, "Purchases in three markets. The test is the cup's: among 100 candidates for each user."
    ),
}

FULL = Marketplace()
SMALL = Marketplace(users=800, items=300, interactions=12_000)
"""The marketplace that is simulated, and that of a first look."""


class Origin(BaseModel):
    """What a data set was prepared from: digests of its files (or of the simulation) and of the code; the split.

    The split is None where the source's own schema says it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    code: str
    split: dict[str, Any] | None = None


def check_sources(parts: Iterable[tuple[str, str]], data: Path | None) -> None:
    """Raises `AdiError` where the source of a data set of (table, data set) has no folder in `data`."""
    for table, name in parts:
        source = DATASETS[name].source
        if source == MARKETPLACE or (data is not None and (data / source).is_dir()):
            continue
        found = (
            f"--data is missing, a folder that holds '{source}'" if data is None else f"{data / source}: no such folder"
        )
        raise AdiError(
            f"{table} runs on {name}: {found}. Put the published files there (docs/datasets.md says where they come "
            f"from), or choose what needs none: --datasets {MARKETPLACE}."
        )


def origin(name: str, data: Path | None, *, quick: bool, code: str) -> Origin:
    """What a data set would be prepared from now."""
    dataset = DATASETS[name]
    if dataset.source == MARKETPLACE:
        source = blake2b(repr(_marketplace(quick)).encode(), digest_size=16).hexdigest()
    else:
        source = fingerprint(_published(dataset, data))
    return Origin(source=source, code=code, split=None if dataset.split is None else dict(dataset.split))


def read_origin(folder: Path) -> Origin | None:
    """What the data set in a folder was prepared from; None where there is none."""
    path = folder / "origin.json"
    return Origin.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None


def make_dataset(
    name: str, data: Path | None, folder: Path, made_from: Origin, *, quick: bool, say: Callable[[str], None]
) -> None:
    """Convert, or simulate, and prepare a data set into the new `folder`, which is complete or absent."""
    dataset = DATASETS[name]
    with new_folder(folder) as building:
        tables = building / "tables"
        if dataset.source == MARKETPLACE:
            say(f"simulating {name}")
            simulate(tables, _marketplace(quick), progress=False)
        else:
            say(f"converting {name}")
            convert(dataset.source, _published(dataset, data), tables)
        if dataset.split is not None:
            _split_by(dataset.split, tables / "schema.yaml")
        say(f"preparing {name}")
        prepare(tables, building / "prepared", progress=False)
        shutil.rmtree(tables)
        (building / "origin.json").write_text(made_from.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _split_by(split: Mapping[str, Any], schema: Path) -> None:
    content = yaml.safe_load(schema.read_text(encoding="utf-8"))
    schema.write_text(yaml.safe_dump({**content, "split": dict(split)}, sort_keys=False), encoding="utf-8")


def _marketplace(quick: bool) -> Marketplace:
    return SMALL if quick else FULL


def _published(dataset: GridData, data: Path | None) -> Path:
    return (data or Path()) / dataset.source
