"""Data sets and cells of another version, which are refused, or removed and run again."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adi.errors import AdiError
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.marketplace.simulation import Marketplace
from adi.reproduce import datasets, grid, lines
from adi.reproduce.grid import reproduce

HERE: Mapping[str, Any] = {"datasets": ["marketplace"], "quick": True, "only": ["adi-va"]}

CHANGES: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "code": (
        lambda patch: patch.setattr(grid, "this_code", lambda: "f00d"),
        r"data/marketplace: made by other code of adi.*adi-va-0: from other code of adi \(0 seconds of work\)",
    ),
    "files": (
        lambda patch: patch.setattr(datasets, "SMALL", Marketplace(users=150, items=80, interactions=1500, seed=1)),
        "data/marketplace: made from other files",
    ),
    "split": (
        lambda patch: patch.setitem(
            datasets.DATASETS,
            "marketplace",
            replace(datasets.DATASETS["marketplace"], changes={"split": {"kind": "last"}}),
        ),
        "data/marketplace: with other keys in its schema",
    ),
    "settings": (
        lambda patch: patch.setattr(lines, "QUICK", lines.QUICK | {"epochs": 3, "lr": 0.002}),
        r"adi-va-0: from other settings \(epochs 2, now 3, lr 0\.003, now 0\.002\)",
    ),
    "torch": (
        lambda patch: patch.setattr("adi.grid.versions.version", lambda _: "9.9"),
        r"adi-va-0: from torch .*, now 9\.9",
    ),
}


def files_in(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def check(out: Path, observer: Any, words: str) -> None:
    """The call is refused and changes nothing; with redo it runs the cell again, once."""
    before = files_in(out)
    with pytest.raises(AdiError, match=rf"(?s)never mixed:.*{words}.*choose another --out, .*--redo"):
        reproduce("figure5", out, observer(), **HERE)
    assert files_in(out) == before
    redo, again = observer(), observer()
    reproduce("figure5", out, redo, redo=True, **HERE)
    reproduce("figure5", out, again, **HERE)
    assert (redo.done, again.left) == ([("adi-va-0", "done")], 0)


@pytest.mark.parametrize("change", CHANGES)
def test_another_version_is_refused_or_removed(pretended, observer, tiny, tmp_path: Path, change: str) -> None:
    reproduce("figure5", tmp_path, observer(), **HERE)
    alter, words = CHANGES[change]
    alter(tiny)
    check(tmp_path, observer, words)


def only_cell() -> Cell:
    rows = lines.lines_of(grid.TABLES["figure5"], "marketplace", seeds=1, quick=True)
    return next(cell for line in rows for cell in line.cells if cell.model == "adi-va")


def test_cells_of_other_data_are_refused(pretended, observer, tmp_path: Path) -> None:
    reproduce("figure5", tmp_path, observer(), **HERE)
    folder = GridFolder(tmp_path / "quick")
    record = folder.record(only_cell())
    assert record is not None
    folder.write_record(only_cell(), record.model_copy(update={"fingerprint": "f00d"}))
    check(tmp_path, observer, "adi-va-0: from other data")


def test_a_run_without_a_record_is_refused(pretended, observer, tmp_path: Path) -> None:
    GridFolder(tmp_path / "quick").run(only_cell()).mkdir(parents=True)
    check(tmp_path, observer, "adi-va-0: of unknown version")


def test_of_many_cells_the_first_is_named_and_the_others_counted(pretended, observer, tiny, tmp_path: Path) -> None:
    reproduce("table6", tmp_path, observer(), datasets=["marketplace"], quick=True)
    folder = GridFolder(tmp_path / "quick")
    for cell in (cell for line in table_6() for cell in line.cells):
        record = folder.record(cell)
        assert record is not None
        folder.write_record(cell, record.model_copy(update={"seconds": 3600.0}))
    tiny.setattr(grid, "this_code", lambda: "f00d")
    with pytest.raises(AdiError, match=r"fusion=sum-0 and 2 more: from other code of adi \(3\.0 hours of work\)"):
        reproduce("table6", tmp_path, observer(), datasets=["marketplace"], quick=True)


def table_6() -> tuple[lines.Line, ...]:
    return lines.lines_of(grid.TABLES["table6"], "marketplace", seeds=1, quick=True)


def test_data_that_was_removed_is_prepared_again_under_the_same_cells(pretended, observer, tmp_path: Path) -> None:
    reproduce("figure5", tmp_path, observer(), **HERE)
    shutil.rmtree(tmp_path / "quick" / "data")
    again = observer()
    reproduce("figure5", tmp_path, again, **HERE)
    assert again.left == 0


def test_a_record_that_cannot_be_read_is_named(pretended, observer, tmp_path: Path) -> None:
    reproduce("figure5", tmp_path, observer(), **HERE)
    path = tmp_path / "quick" / "cells" / "marketplace" / "adi-va-0.json"
    path.write_text('{"status": "finished"}')
    with pytest.raises(AdiError, match=r"adi-va-0\.json: not a record that this adi wrote: (?s:.*)status"):
        reproduce("figure5", tmp_path, observer(), **HERE)
