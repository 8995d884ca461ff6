"""Versions of code, data and settings: results of different versions are never shown together.

The record of each cell has a digest of the code that makes results, the release of torch, the fingerprint of the
prepared data set and its schema, and all settings. Each prepared data set has its provenance.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import adi
from adi.data.manifest import Manifest, read_manifest
from adi.errors import AdiError
from adi.grid.cells import Cell, CellRecord
from adi.grid.folder import GridFolder
from adi.grid.provenance import Provenance, read_provenance
from adi.models.source import code_without_comments

EXCLUDED = frozenset(
    {"__init__", "backtesting", "bundle", "cli", "comparison", "exporting", "extensions", "filters", "frames", "grid"}
    | {"guessing", "index", "progress", "report", "reproduce", "retrieval", "serving", "thread_budget", "timing"}
    | {"tuning"}
)
"""Parts of the package that make no results: they call, show, compare, serve or search for what others compute, or
draft a schema. Any other part counts."""


@cache
def this_code() -> str:
    """The digest of the imported adi."""
    return code_digest(Path(adi.__file__).parent)


def code_digest(package: Path) -> str:
    """A digest of the source of all parts of a package that decide the result of a training and its evaluation.

    It covers the syntax alone, so that comments, docstrings and layout may change.
    """
    digest = blake2b(digest_size=8)
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package).with_suffix("")
        if module.parts[0] not in EXCLUDED:
            digest.update(f"{module.as_posix()}\n{code_without_comments(path.read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Version:
    """The current version: the digest of the code, and the manifests of the prepared data sets by name."""

    code: str
    manifests: Mapping[str, Manifest]

    def record(self, cell: Cell) -> CellRecord:
        """The record of a cell that is about to start."""
        return CellRecord(
            code=self.code,
            torch=version("torch"),
            fingerprint=self.manifests[cell.dataset].fingerprint,
            schema_sha256=self.manifests[cell.dataset].schema_sha256,
            config=dict(cell.config),
        )

    def difference(self, cell: Cell, earlier: CellRecord) -> str | None:
        """The difference of an earlier record of a cell to this version, in words; None where there is none."""
        now = self.record(cell)
        if earlier.code != now.code:
            return "from other code of adi"
        if earlier.torch != now.torch:
            return f"from torch {earlier.torch}, now {now.torch}"
        if earlier.fingerprint != now.fingerprint:
            return "from other data"
        if earlier.schema_sha256 != now.schema_sha256:  # which says, say, if an item may be retrieved again
            return "from data of another schema"
        if earlier.config != now.config:
            return f"from other settings ({', '.join(_differing(earlier.config, now.config))})"
        return None


def _differing(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for section in sorted(earlier.keys() | now.keys()):
        before, after = earlier.get(section, {}), now.get(section, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                yield f"{key} {before.get(key)}, now {after.get(key)}"


def manifests_in(folder: GridFolder) -> dict[str, Manifest]:
    """The manifests of the data sets that are prepared in a folder, by name."""
    return {path.parent.name: read_manifest(path) for path in sorted(folder.root.glob("data/*/prepared"))}


def clear_stale(
    folder: GridFolder, provenances: Mapping[str, Provenance], cells: Sequence[Cell], *, code: str, redo: bool
) -> None:
    """Ensure that a folder has no data sets and no cells of another version than the requested one.

    With `redo`, those of another version are removed, and so are failed cells. Otherwise they raise `AdiError`, which
    lists them and the choices. `provenances` are those of the data sets as they are now.
    """
    stale_data = {
        name: words
        for name, now in provenances.items()
        if (words := _other_provenance(read_provenance(folder.data(name)), now))
    }
    current = Version(code, manifests_in(folder))
    stale_cells: dict[Cell, str] = {}
    for cell in cells:
        words = _other_version(folder, current, cell)
        if words is not None:
            stale_cells[cell] = words
    if (stale_data or stale_cells) and not redo:
        raise AdiError(_refusal(folder, stale_data, stale_cells))
    for cell in cells:
        record = folder.record(cell)
        if cell in stale_cells or (redo and record is not None and record.status == "failed"):
            folder.remove(cell)
    for name in stale_data:
        shutil.rmtree(folder.data(name))


def _other_provenance(earlier: Provenance | None, now: Provenance) -> str | None:
    if earlier is None or earlier == now:
        return None
    if earlier.schema_digest != now.schema_digest:
        return "made by another schema"
    if earlier.source != now.source:
        return "made from other files"
    return "with other keys in its schema" if earlier.changes != now.changes else "made by other code of adi"


def _other_version(folder: GridFolder, current: Version, cell: Cell) -> str | None:
    record = folder.record(cell)
    if record is None:
        return "of unknown version" if folder.run(cell).exists() else None
    if cell.dataset not in current.manifests:
        return None  # known once the data set is prepared
    return current.difference(cell, record)


def _refusal(folder: GridFolder, stale_data: Mapping[str, str], stale_cells: Mapping[Cell, str]) -> str:
    lines = [f"  {folder.data(name)}: {words}" for name, words in stale_data.items()]
    for words in dict.fromkeys(stale_cells.values()):
        cells = [cell for cell, other in stale_cells.items() if other == words]
        records = [folder.record(cell) for cell in cells]
        time = duration(sum(record.seconds for record in records if record is not None))
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        lines.append(f"  {folder.run(cells[0])}{more}: {words} ({time} of work)")
    return (
        f"{folder.root}: has results of another version, and results of two versions are never mixed:\n"
        + "\n".join(lines)
        + "\nKeep them and choose another --out, or remove what is listed and run it again with --redo."
    )


def duration(seconds: float) -> str:
    """``3.2 hours``, ``14 minutes`` or ``41 seconds``."""
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 60 else f"{seconds:.0f} seconds"
