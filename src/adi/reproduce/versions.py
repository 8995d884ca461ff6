"""One version of code, data and settings: the cells of another are never shown beside it.

Every cell's record has a digest of the code that makes results (`adi.reproduce.code`), the release of torch, the
fingerprint of the prepared data set, and all settings. A prepared data set has a digest of what it was made from.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from adi.data.manifest import Manifest, read_manifest
from adi.errors import AdiError
from adi.reproduce.cells import Cell
from adi.reproduce.datasets import Origin, read_origin
from adi.reproduce.folder import GridFolder, Record, duration


@dataclass(frozen=True)
class Version:
    """The code, and the prepared data sets by name, that cells are run with now."""

    code: str
    manifests: Mapping[str, Manifest]

    def record(self, cell: Cell) -> Record:
        """The record of a cell that is about to start."""
        return Record(
            code=self.code,
            torch=version("torch"),
            fingerprint=self.manifests[cell.dataset].fingerprint,
            config=dict(cell.config),
        )

    def difference(self, cell: Cell, before: Record) -> str | None:
        """What a cell's record is of, in words, where that is another version; else None."""
        now = self.record(cell)
        if before.code != now.code:
            return "of other code of adi"
        if before.torch != now.torch:
            return f"of torch {before.torch}, now {now.torch}"
        if before.fingerprint != now.fingerprint:
            return "of other data"
        if before.config != now.config:
            return f"of other settings ({', '.join(_differing(before.config, now.config))})"
        return None


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for section in sorted(then.keys() | now.keys()):
        before, after = then.get(section, {}), now.get(section, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                yield f"{key} {before.get(key)}, now {after.get(key)}"


def manifests_in(folder: GridFolder) -> dict[str, Manifest]:
    """Those of the data sets that are prepared in a folder, by name."""
    places = sorted(folder.root.glob("data/*/prepared"))
    return {place.parent.name: read_manifest(place) for place in places}


def clear_stale(
    folder: GridFolder, origins: Mapping[str, Origin], cells: Sequence[Cell], *, code: str, redo: bool
) -> None:
    """Make sure that nothing in a folder is of another version than what is asked for.

    With `redo` the data sets and cells that are, and the cells that have failed, are removed. Otherwise raises
    `AdiError`, which says what they are of and what there is to choose. `origins` are of the data sets as they are now.
    """
    data = {
        name: words for name, now in origins.items() if (words := _other_origin(read_origin(folder.data(name)), now))
    }
    version = Version(code, manifests_in(folder))
    stale: dict[Cell, str] = {}
    for cell in cells:
        words = _other_version(folder, version, cell)
        if words is not None:
            stale[cell] = words
    if (data or stale) and not redo:
        raise AdiError(_refusal(folder, data, stale))
    for cell in cells:
        record = folder.record(cell)
        if cell in stale or (redo and record is not None and record.status == "failed"):
            folder.remove(cell)
    for name in data:
        shutil.rmtree(folder.data(name))


def _other_origin(before: Origin | None, now: Origin) -> str | None:
    if before is None or before == now:
        return None
    if before.source != now.source:
        return "made from other files"
    return "split otherwise" if before.split != now.split else "made by other code of adi"


def _other_version(folder: GridFolder, version: Version, cell: Cell) -> str | None:
    record = folder.record(cell)
    if record is None:
        return "of unknown origin" if folder.run(cell).exists() else None
    if cell.dataset not in version.manifests:
        return None  # known once the data set is prepared
    return version.difference(cell, record)


def _refusal(folder: GridFolder, data: Mapping[str, str], stale: Mapping[Cell, str]) -> str:
    lines = [f"  {folder.data(name)}: {words}" for name, words in data.items()]
    for words in dict.fromkeys(stale.values()):
        same = [cell for cell, other in stale.items() if other == words]
        records = [folder.record(cell) for cell in same]
        took = duration(sum(record.seconds for record in records if record is not None))
        more = f" and {len(same) - 1} more" if len(same) > 1 else ""
        lines.append(f"  {folder.run(same[0])}{more}: {words} ({took} of work)")
    return (
        f"{folder.root} holds another version of what is asked for, and results of two versions are never mixed:\n"
        + "\n".join(lines)
        + "\nKeep it and choose another --out, or remove what is listed and run it again with --redo."
    )
