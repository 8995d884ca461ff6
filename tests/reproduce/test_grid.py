"""A tiny grid: its outputs, what it keeps, how it goes on, and what it refuses before any work."""

import csv
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adi.errors import AdiError
from adi.grid import run
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.grid.versions import Version, manifests_in
from adi.reproduce import datasets, grid, lines
from adi.reproduce.grid import reproduce
from adi.reproduce.outputs import write_outputs
from adi.reproduce.requests import requested

HERE: Mapping[str, Any] = {"datasets": ["marketplace"], "quick": True}


def metrics_in(folder: Path) -> dict[str, Any]:
    """The metrics of every run below a folder, by the name of the run."""
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.rglob("metrics.json"))}


def times_in(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_finished_grid_has_everything_in_its_place(finished: Path) -> None:
    keys = ["adi-se,fusion=network-mul-0", "adi-se,fusion=sum-0", "adi-se-0", "adi-va-0"]
    assert sorted(path.name for path in (finished / "runs" / "marketplace").iterdir()) == keys
    assert sorted(path.name for path in (finished / "cells" / "marketplace").iterdir()) == [f"{k}.json" for k in keys]
    assert {path.name for path in (finished / "data" / "marketplace").iterdir()} == {"prepared", "origin.json"}
    names = {"report.html", "asked.json"}
    for name in ("table6", "figure5"):
        names |= {f"{name}.csv", f"{name}-marketplace.png"}
        assert (finished / f"{name}-marketplace.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in finished.iterdir() if path.is_file()} - {".lock"} == names


def test_the_csv_has_every_measure_of_every_run(finished: Path) -> None:
    metrics = metrics_in(finished)["adi-se,fusion=sum-0"]
    with (finished / "table6.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == "SUM"]
    assert {(row["dataset"], row["model"], row["seed"]) for row in rows} == {("marketplace", "adi-se", "0")}
    found = {(row["domain"], row["measure"]): float(row["value"]) for row in rows}
    assert found["search", "recall@50"] == metrics["domains"]["search"]["recall@50"]
    assert found["mean", "ndcg@10"] == metrics["mean"]["ndcg@10"]
    assert {domain for domain, _ in found} == {"search", "feed", "cart", "mean"}
    assert len(rows) == len(found) == sum(len(own) for own in metrics["domains"].values()) + len(metrics["mean"])


def test_the_csv_of_figure_5_has_weights_and_falls(finished: Path) -> None:
    with (finished / "figure5.csv").open() as file:
        rows = list(csv.DictReader(file))
    measures = {row["measure"] for row in rows if row["label"] == "ADI-VA" and row["domain"] == "feed"}
    assert measures >= {
        f"{words} {of}" for words in ("weight of", "fall without") for of in ("item bid", "user domain")
    }


def test_what_is_done_is_kept_and_shared_between_tables(copied: Path, observer, tiny) -> None:
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root)
    before, same, other = (
        times_in(copied / "quick" / "runs"),
        observer(),
        observer(stop="adi-se,adaptation=se-global-0"),
    )
    reproduce("table6", copied, same, **HERE)
    assert (len(same.cells), same.left) == (3, 0)
    with pytest.raises(KeyboardInterrupt):
        reproduce("table8", copied, other, **HERE)
    assert (len(other.cells), other.left) == (3, 2)  # one of the three is that of table 6
    after = times_in(copied / "quick" / "runs")
    assert {path: after[path] for path in before} == before


def test_an_interrupted_grid_goes_on_and_comes_to_the_same(copied: Path, observer, tiny, finished: Path) -> None:
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root)
    for place in ("runs", "cells"):
        shutil.rmtree(copied / "quick" / place)
    cut, again = observer(stop="adi-se,fusion=network-mul-0"), observer()
    with pytest.raises(KeyboardInterrupt):
        reproduce("table6", copied, cut, **HERE)
    assert cut.done == [("adi-se,fusion=sum-0", "done")]
    reproduce("table6", copied, again, **HERE)
    assert again.left == 2
    assert again.epochs == [("adi-se,fusion=network-mul-0", 2), ("adi-se-0", 1), ("adi-se-0", 2)]
    whole = metrics_in(finished)
    assert metrics_in(copied) == {name: one for name, one in whole.items() if name != "adi-va-0"}


def test_a_cell_that_was_cut_off_before_its_evaluation_is_only_evaluated(copied: Path, observer, tiny) -> None:
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root)
    folder = GridFolder(copied / "quick")
    (cell,) = (cell for cell in figure_5() if cell.model == "adi-va")
    record = folder.record(cell)
    assert record is not None
    folder.write_record(cell, record.model_copy(update={"status": "started", "seconds": 1000.0}))
    (folder.run(cell) / "metrics.json").unlink()
    again = observer()
    reproduce("figure5", copied, again, **HERE)
    assert (again.done, again.epochs) == ([("adi-va-0", "done")], [])
    assert (folder.run(cell) / "metrics.json").exists()
    after = folder.record(cell)
    assert after is not None
    assert 1000 < after.seconds < 1500


def figure_5() -> list[Cell]:
    rows = lines.lines_of(grid.TABLES["figure5"], "marketplace", seeds=1, quick=True)
    return [cell for line in rows for cell in line.cells]


def test_a_training_that_was_cut_off_at_once_starts_anew(pretended, observer, tiny, tmp_path: Path) -> None:
    def stop(prepared: Path, model: str, out: Path, **_: object) -> None:
        out.mkdir(parents=True)
        (out / ".run.json.partial").write_text("{")
        raise KeyboardInterrupt

    def start(prepared: Path, model: str, out: Path, *, resume: bool, **_: object) -> None:
        assert not out.exists()
        assert not resume

    for train in (stop, start):
        tiny.setattr(run, "train", train)
        if train is stop:
            with pytest.raises(KeyboardInterrupt):
                reproduce("figure5", tmp_path, observer(), **HERE)
        else:
            again = observer()
            reproduce("figure5", tmp_path, again, **HERE)
            assert again.done == [("adi-se-0", "done"), ("adi-va-0", "done")]


def test_a_failed_cell_is_recorded_and_the_grid_goes_on(copied: Path, observer, tiny) -> None:
    reason = "epoch 1, step 3: the loss is <nan>; the training has diverged."
    gone, failing = "adi-se,fusion=sum-0", "adi-se,fusion=network-mul-0"
    for key in (gone, failing):
        shutil.rmtree(copied / "quick" / "runs" / "marketplace" / key)
        (copied / "quick" / "cells" / "marketplace" / f"{key}.json").unlink()
    trained = run.train

    def diverge(prepared: Path, model: str, out: Path, *, settings: Any, **more: Any) -> Any:
        if settings["model"]["fusion"] == "network-mul":
            raise AdiError(reason)
        return trained(prepared, model, out, settings=settings, **more)

    first, second, third = observer(), observer(), observer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "train", diverge)
        done = reproduce("table6", copied, first, **HERE)
    assert done.failed == {f"marketplace/{failing}": reason}
    assert first.done == [(gone, "done"), (failing, "failed")]
    page = done.report.read_text()
    assert "Failed: Network-Mul, seed 0: epoch 1, step 3: the loss is &lt;nan&gt;" in page
    assert re.search(r'<th scope="row">Network-Mul</th><td>failed</td>', page)
    assert ", and 1 failed" in page
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root)
    assert reproduce("table6", copied, second, **HERE).failed == done.failed  # it would come to the same
    assert second.left == 0
    assert reproduce("table6", copied, third, redo=True, **HERE).failed == {}
    assert third.done == [(failing, "done")]


def test_a_fault_of_the_machine_is_none_of_the_cell(pretended, observer, tiny, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise AdiError("model.safetensors: cannot be written") from OSError("No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "train", full)
        with pytest.raises(AdiError, match="cannot be written"):
            reproduce("table6", tmp_path, observer(), **HERE)
    again = observer()
    assert reproduce("table6", tmp_path, again, **HERE).failed == {}
    assert again.left == 3


def test_what_is_of_another_version_is_not_shown(copied: Path, tiny) -> None:
    folder = GridFolder(copied / "quick")
    version = Version(grid.this_code(), manifests_in(folder))
    tiny.setattr(lines, "QUICK", lines.QUICK | {"lr": 0.002})
    page = write_outputs(folder, version, quick=True).read_text()
    assert "Not run: SUM, Network-Mul, CONCAT." in page
    assert (copied / "quick" / "table6.csv").read_text().count("\n") == 1


def test_two_at_once_are_refused(tiny, observer, tmp_path: Path) -> None:
    with (
        GridFolder(tmp_path / "quick").locked(),
        pytest.raises(AdiError, match="another adi process is at work here"),
    ):
        reproduce("table6", tmp_path, observer(), **HERE)
    assert list((tmp_path / "quick").iterdir()) == [tmp_path / "quick" / ".lock"]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "table2",
            {},
            r"data: missing, a folder that contains 'globo-news'\. table2 runs on globo-news: put .*docs/data",
        ),
        (
            "table3",
            {"data": "data"},
            r"data: .*/xmrec-wsdm22: no such folder\. table3 runs on xmrec-wsdm22: .* marketplace alone",
        ),
        ("all", {"data": "data"}, r"data: .*/globo-news: no such folder\. table2 runs on globo-news"),
        ("table3", {"datasets": ["marketplace"]}, r"datasets: 'marketplace': table3 runs on xmrec-wsdm22\."),
        (
            "all",
            {"datasets": ["globo"]},
            r"datasets: 'globo': the tables run on globo-news.*Did you mean 'globo-news'",
        ),
        ("table4", {}, "table: 'table4' is not one of table2,"),
        ("table6", {"days": 3}, "^days: 3, and nothing is simulated"),
        ("table9", {"days": 0}, "^days: 0; give a number from 1"),
        ("table9", {"only": ["adi-se"]}, "^only: table9 compares each model with dnn"),
        ("table6", {"only": ["dnn"]}, r"only: no row is of model 'dnn' \(adi-se\)"),
        ("table6", {"seeds": 0}, "^seeds: 0; give 1 or more"),
        ("table6", {"device": "gpu"}, "device: 'gpu' is not a device; give cpu, cuda, or cuda:N"),
    ],
)
def test_a_users_fault_is_refused_before_any_work(observer, tmp_path: Path, name, options, words) -> None:
    (tmp_path / "data").mkdir()
    if "data" in options:
        options = options | {"data": tmp_path / options["data"]}
    with pytest.raises(AdiError, match=words):
        reproduce(name, tmp_path / "out", observer(), **options)
    assert not (tmp_path / "out").exists()


def test_all_leaves_out_the_tables_that_have_none_of_the_data_sets(pretended, observer, tmp_path: Path) -> None:
    seen = observer()
    reproduce("all", tmp_path, seen, only=["mmoe"], **HERE)
    assert {cell.dataset for cell in seen.cells} == {"marketplace"}
    assert requested(GridFolder(tmp_path / "quick")) == {"table2": {"marketplace": 1}, "figure3": {"marketplace": 1}}


def test_every_cell_is_trained_on_the_device(pretended, observer, tiny, tmp_path: Path) -> None:
    seen = []

    def train(prepared: Path, model: str, out: Path, *, device: str, **_: object) -> None:
        out.mkdir(parents=True)
        seen.append((model, device))

    tiny.setattr(grid, "device_named", lambda name: None)  # the machine may have no GPU
    tiny.setattr(run, "train", train)
    reproduce("table2", tmp_path, observer(), only=["dnn", "mmoe"], device="cuda:1", **HERE)
    assert seen == [("dnn", "cuda:1"), ("mmoe", "cuda:1")]


def test_more_seeds_add_to_those_that_are_done(pretended, observer, tiny, tmp_path: Path) -> None:
    tiny.setattr(datasets, "FULL", datasets.SMALL)
    for seeds, trained in ((1, [0, 0, 0]), (3, [1, 1, 1, 2, 2, 2]), (2, [])):
        seen = observer()
        reproduce("table6", tmp_path, seen, datasets=["marketplace"], seeds=seeds)
        assert [int(key[-1]) for key in seen.trained] == trained
    assert requested(GridFolder(tmp_path)) == {"table6": {"marketplace": 3}}


def test_two_at_a_time_have_the_same_results(copied: Path, observer, tiny, finished: Path) -> None:
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root)
    for place in ("runs", "cells"):
        shutil.rmtree(copied / "quick" / place)
    recorder = observer(one_by_one=False)
    assert reproduce("table6", copied, recorder, datasets=["marketplace"], quick=True, jobs=2).failed == {}
    assert sorted(recorder.done) == sorted((cell.key, "done") for cell in recorder.cells)
    assert {epoch for _, epoch in recorder.epochs} == {1, 2}
    for cell in recorder.cells:
        here, there = (GridFolder(root).run(cell) for root in (copied / "quick", finished))
        assert (here / "metrics.json").read_bytes() == (there / "metrics.json").read_bytes()
