"""The data sets of a grid: which there are to run, where they come from, and how they are prepared."""

import shutil
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from adi.data.arrays import fingerprint
from adi.data.folder import new_folder
from adi.data.marketplace.simulation import Marketplace, simulate
from adi.data.prepare import prepare
from adi.data.sources.catalog import convert
from adi.errors import AdiError, suggestion
from adi.reproduce.tables import MARKETPLACE, Table

FULL = Marketplace()
SMALL = Marketplace(users=800, items=300, interactions=12_000)
"""The marketplace that is simulated, and that of a first look."""


class Origin(BaseModel):
    """What a data set was prepared from: digests of its files, or of the simulation's settings, and of the code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    code: str


def datasets_of(tables: Iterable[Table], chosen: Iterable[str] | None) -> dict[str, tuple[str, ...]]:
    """The data sets that each table runs on, by its name: all that it has, or those chosen of them.

    Of several tables, one that has none of those chosen is left out. Raises `AdiError` for a name that no table has.
    """
    tables = tuple(tables)
    known = tuple(dict.fromkeys(dataset for table in tables for dataset in table.datasets))
    wanted = known if chosen is None else tuple(chosen)
    for name in wanted:
        if name not in known:
            runs = f"{tables[0].name} runs" if len(tables) == 1 else "the tables run"
            raise AdiError(f"--datasets: '{name}': {runs} on {', '.join(known)}.{suggestion(name, known)}")
    kept = {table.name: tuple(name for name in table.datasets if name in wanted) for table in tables}
    return {name: datasets for name, datasets in kept.items() if datasets}


def check_sources(parts: Iterable[tuple[str, str]], data: Path | None) -> None:
    """Raises `AdiError` where a data set of (table, data set) has no folder in `data`."""
    for table, name in parts:
        if name == MARKETPLACE or (data is not None and (data / name).is_dir()):
            continue
        found = f"--data is missing, a folder that holds '{name}'" if data is None else f"{data / name}: no such folder"
        raise AdiError(
            f"{table} runs on {name}: {found}. Put the published files there (docs/datasets.md says where they come "
            f"from), or choose what needs none: --datasets {MARKETPLACE}."
        )


def origin(name: str, data: Path | None, *, quick: bool, code: str) -> Origin:
    """What a data set would be prepared from now."""
    if name == MARKETPLACE:
        return Origin(source=blake2b(repr(_marketplace(quick)).encode(), digest_size=16).hexdigest(), code=code)
    return Origin(source=fingerprint(_source(name, data)), code=code)


def read_origin(folder: Path) -> Origin | None:
    """What the data set in a folder was prepared from; None where there is none."""
    path = folder / "origin.json"
    return Origin.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else None


def make_dataset(
    name: str, data: Path | None, folder: Path, made_from: Origin, *, quick: bool, say: Callable[[str], None]
) -> None:
    """Convert, or simulate, and prepare a data set into the new `folder`, which is complete or absent."""
    with new_folder(folder) as building:
        tables = building / "tables"
        if name == MARKETPLACE:
            say(f"simulating {name}")
            simulate(tables, _marketplace(quick))
        else:
            say(f"converting {name}")
            convert(name, _source(name, data), tables)
        say(f"preparing {name}")
        prepare(tables, building / "prepared")
        shutil.rmtree(tables)
        (building / "origin.json").write_text(made_from.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _marketplace(quick: bool) -> Marketplace:
    return SMALL if quick else FULL


def _source(name: str, data: Path | None) -> Path:
    return (data or Path()) / name
