"""A grid of seconds: a tiny marketplace, tiny networks, and an observer that records its calls."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from adi.grid import run
from adi.grid.cells import Cell, CellRecord
from adi.marketplace.simulation import Marketplace
from adi.online import simulate
from adi.reproduce import datasets, grid, lines
from older import change_manifest

MARKET = Marketplace(users=150, items=80, interactions=1500)
SETTINGS = {"epochs": 2, "batch_size": 256, "embedding_sets": 1, "embedding_dim": 8, "dim": 8, "uniform": 20}


class Recorder:
    """An observer of the grid and of every training, which interrupts the cell `stop` in its second epoch."""

    def __init__(self, stop: str | None = None, *, one_by_one: bool = True) -> None:
        self.stop, self.one_by_one = stop, one_by_one
        self.cells: tuple[Cell, ...] = ()
        self.left = -1
        self.trained: list[str] = []
        self.epochs: list[tuple[str, int]] = []
        self.done: list[tuple[str, str]] = []

    def stage(self, text: str) -> None:
        assert text

    def planned(self, *, cells: Sequence[Cell], left: int) -> None:
        self.cells, self.left = tuple(cells), left

    def training(self, cell: Cell) -> "Recorder":
        self.trained.append(cell.key)
        return self

    def evaluating(self, cell: Cell) -> None:
        assert cell.key == self.trained[-1] or (not self.one_by_one and cell.key in self.trained)

    def finished(self, cell: Cell, record: CellRecord, metrics: Mapping[str, Any] | None) -> None:
        assert (metrics is not None) == (record.status == "done")
        self.done.append((cell.key, record.status))

    def refitting(self, *, epochs: int) -> None:
        assert epochs in (1, 2)

    def step(self, *, epoch: int, step: int, **_: object) -> None:
        if self.stop == self.trained[-1] and (epoch, step) == (2, 1):
            raise KeyboardInterrupt

    def validated(self, *, epoch: int, **_: object) -> None:
        self.epochs.append((self.trained[-1], epoch))

    def warned(self, **_: object) -> None: ...


@pytest.fixture(scope="session")
def observer() -> type[Recorder]:
    return Recorder


@pytest.fixture
def tiny() -> Iterator[pytest.MonkeyPatch]:
    """Makes a quick look take seconds. Other patches of a test by this monkeypatch end with the test, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "SMALL", MARKET)
        patch.setattr(lines, "QUICK", SETTINGS)
        yield patch


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a grid of table 6 and figure 5 with all its outputs. Not to be written to."""
    out = tmp_path_factory.mktemp("grid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "SMALL", MARKET)
        patch.setattr(lines, "QUICK", SETTINGS)
        for name in ("table6", "figure5"):
            grid.reproduce(name, out, Recorder(), datasets=["marketplace"], quick=True)
    return out / "quick"


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The --out of table 9 with two models and 900 requests a day. Not to be written to."""
    out = tmp_path_factory.mktemp("simulated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "SMALL", MARKET)
        patch.setattr(lines, "QUICK", SETTINGS)
        patch.setattr(simulate, "available_cores", lambda: 1)
        grid.reproduce("table9", out, Recorder(), only=["dnn", "adi-se"], quick=True, requests=900)
    return out


@pytest.fixture
def copied(finished: Path, tiny: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An --out with a copy of the finished grid."""
    shutil.copytree(finished, tmp_path / "out" / "quick")
    return tmp_path / "out"


@pytest.fixture
def pretended(finished: Path, tiny: pytest.MonkeyPatch) -> None:
    """Nothing is prepared, trained, evaluated or written; only the decisions are real."""

    def make(name: str, data: Path | None, folder: Path, provenance: datasets.Provenance, **_: object) -> None:
        shutil.copytree(finished / "data" / name, folder)
        change_manifest(folder / "prepared", fingerprint=f"{provenance.source} {provenance.changes}")
        (folder / "origin.json").write_text(provenance.model_dump_json())

    tiny.setattr(grid, "make_dataset", make)
    tiny.setattr(run, "train", lambda prepared, model, out, **_: out.mkdir(parents=True))
    tiny.setattr(grid, "evaluate_run", lambda run, **_: {})
    tiny.setattr(grid, "check_interest", lambda *_: None)
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root / "report.html")
