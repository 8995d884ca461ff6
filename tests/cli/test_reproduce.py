"""The command reproduce: its output and its exit codes."""

import json

import pytest

from adi.errors import AdiError
from adi.grid import run
from adi.marketplace.simulation import Marketplace
from adi.reproduce import datasets, grid, lines


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(datasets, "SMALL", Marketplace(users=150, items=80, interactions=1500))
    monkeypatch.setattr(lines, "QUICK", {"epochs": 1, "batch_size": 512, "embedding_dim": 8, "dim": 8, "uniform": 20})


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """One folder for the grids of the tests, which run other cells each."""
    return tmp_path_factory.mktemp("reproduced")


def words(models, out):
    return ["reproduce", "table2", "--quick", "--datasets", "marketplace", "--only", models, "--out", out]


def test_a_grid_and_a_second_call(adi, out, monkeypatch) -> None:
    done = adi(*words("popularity,dnn", out))
    assert (done.returncode, done.stdout) == (
        0,
        f"Wrote {out}/quick/report.html, and the CSV and PNG of each table beside it.\n",
    )
    head, first, second = (line.split() for line in done.stderr.splitlines())
    assert head == ["data", "set", "cell", "seed", "recall", "time"]
    for line, name in ((first, "popularity"), (second, "dnn")):
        assert line[:3] == ["marketplace", name, "0"]
        metrics = json.loads((out / "quick" / "runs" / "marketplace" / f"{name}-0" / "metrics.json").read_text())
        assert float(line[3]) == pytest.approx(metrics["mean"]["recall@50"], abs=1e-4)
    monkeypatch.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root / "report.html")
    assert adi(*words("popularity,dnn", out)).stderr == "2 of 2 cells are done already.\n"


def test_a_failed_cell_ends_in_1_and_an_interruption_in_130(adi, out, monkeypatch) -> None:
    monkeypatch.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root / "report.html")

    def diverge(*_: object, **__: object) -> None:
        raise AdiError("the training has diverged")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "train", stop)
    done = adi(*words("item-knn", out))
    assert done.returncode == 130
    assert f"{out}: not finished; the same command goes on." in done.stderr
    monkeypatch.setattr(run, "train", diverge)
    done = adi(*words("item-knn", out))
    assert done.returncode == 1
    *lines, first, second = done.stderr.splitlines()
    assert first == "marketplace/item-knn-0: failed: the training has diverged"
    assert second == "marketplace/item-knn,scope=domain-0: failed: the training has diverged"
    assert [line.split()[3] for line in lines[1:]] == ["failed", "failed"]


def test_a_missing_folder_is_one_message(adi, tmp_path) -> None:
    done = adi("reproduce", "table3", "--data", tmp_path, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"adi: --data: {tmp_path}/xmrec-wsdm22: no such folder. table3 runs on xmrec-wsdm22: put"
    )
    assert not (tmp_path / "out").exists()
