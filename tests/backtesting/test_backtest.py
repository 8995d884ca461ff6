"""A walk forward over a log of a few lines, worked by hand; how it goes on, and what it refuses."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from adi.backtesting.backtest import backtest
from adi.backtesting.result import WAYS, Backtest
from adi.errors import AdiError
from adi.grid import run as grid_run
from adi.grid.cells import Cell
from adi.grid.progress import Silent

TRAINED = [(t, "x", "a") for t in range(10)] + [(1, "p", "b"), (2, "p", "b")]
"""Before the first window, x is all that is clicked in a, and p in b."""
FIRST = [(10, "y", "a"), (11, "y", "a"), (12, "y", "a"), (19, "x", "a")]
SECOND = [(20, "y", "a"), (21, "x", "a"), (22, "p", "b")]
AFTER = [(30, "z", "a"), (31, "z", "b")]
"""From `until` on, so that the walk has none of these."""

WALK: Mapping[str, Any] = {"every": 10, "windows": 2, "until": 30, "measure": "mrr@10"}


def tables(folder: Path, rows: Sequence[tuple[int, str, str]], **schema: Any) -> Path:
    """Every click is of another user, so that there are no histories."""
    folder.mkdir(exist_ok=True)
    lines = [f"u{number},{item},{domain},{time}" for number, (time, item, domain) in enumerate(rows)]
    (folder / "log.csv").write_text("\n".join(["user,item,domain,time", *lines]) + "\n", encoding="utf-8")
    content = {
        "domains": {"column": "domain"},
        "interactions": {"path": "log.csv", "user": "user", "item": "item", "time": "time"},
        "features": {"user": [{"name": "age", "kind": "id"}], "item": [{"name": "item_id", "kind": "id"}]},
        **schema,
    }
    (folder / "schema.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tables(tmp_path_factory.mktemp("backtest") / "tables", [*TRAINED, *FIRST, *SECOND, *AFTER])


@pytest.fixture(scope="module")
def walked(log: Path) -> Backtest:
    return backtest(log, log.parent / "out", models=["popularity"], **WALK)


class Recorder(Silent):
    """Counts the cells that are left and trained, and interrupts the training of `stop`."""

    def __init__(self, stop: str | None = None) -> None:
        self.stop, self.left, self.trained, self.stages = stop, -1, list[str](), list[str]()

    def stage(self, text: str) -> None:
        self.stages.append(text)

    def planned(self, *, cells: Sequence[Cell], left: int) -> None:
        self.left = left

    def training(self, cell: Cell) -> "Recorder":
        if cell.dataset == self.stop:
            raise KeyboardInterrupt
        self.trained.append(cell.dataset)
        return self


@pytest.mark.parametrize(
    ("way", "first", "second"),
    [
        ("frozen", 1 / 4, 1 / 2),  # y has no click before the cut, so it is not in the corpus; x is first
        ("live", 1 / 4, 1 / 2),  # shares of clicks are weights
        ("retrained", 1 / 4, 3 / 4),  # after the first window, y is second
    ],
)
def test_each_way_by_hand(walked: Backtest, way: Any, first: float, second: float) -> None:
    assert walked.value("popularity", way, 1, "a") == pytest.approx(first)
    assert walked.value("popularity", way, 2, "a") == pytest.approx(second)
    assert walked.value("popularity", way, None, "a") == pytest.approx((first + second) / 2)
    assert walked.value("popularity", way, 2) == pytest.approx((second + 1) / 2)


def test_a_domain_without_test_rows_in_a_window_is_undefined(walked: Backtest) -> None:
    for way in WAYS:
        assert walked.value("popularity", way, 1, "b") is None
        assert walked.value("popularity", way, None, "b") == 1
        assert walked.value("popularity", way, 1) == walked.value("popularity", way, 1, "a")
    assert "| popularity | live | – | 1.0000 | 1.0000 |" in walked.markdown()


def test_the_result_as_frame_text_and_files(walked: Backtest, log: Path) -> None:
    frame = walked.to_frame().to_pylist()
    assert len(frame) == 3 * 2 * 3  # ways, windows, and two domains with their mean
    (row,) = [r for r in frame if (r["way"], r["window"], r["domain"]) == ("retrained", 2, "a")]
    assert (row["model"], row["start"], row["stop"], row["seed"], row["queries"]) == ("popularity", "20", "30", 0, 2)
    assert (row["mrr@10"], row["recall@50"]) == (0.75, 1.0)
    assert repr(walked) == (
        "<Backtest, windows of 10: 2, mrr@10: popularity frozen 0.5000 live 0.5000 retrained 0.5625>"
    )
    assert "<th>20</th>" in walked._repr_html_()
    out = log.parent / "out"
    assert Backtest.model_validate_json((out / "backtest.json").read_text()) == walked
    assert (out / "backtest.md").read_text() == walked.markdown() + "\n"
    assert (out / "backtest.png").read_bytes().startswith(b"\x89PNG")


def test_counters_live_on_and_stop_where_frozen(tmp_path: Path) -> None:
    """Clicks of y in the first window: live counters have it first in the second, frozen ones have it tie with p."""
    rows = [*TRAINED, *FIRST, *4 * [(15, "y", "a")], (20, "y", "a"), (21, "y", "a"), (22, "p", "b")]
    folder = tables(tmp_path / "tables", rows, trend={"half_lives": [5], "delay": 1}, corpus="all", repeats=True)
    result = backtest(folder, tmp_path / "out", models=["popularity"], settings={"half_life": 5}, **WALK)
    values = {way: result.value("popularity", way, 2, "a") for way in WAYS}
    assert values == {"frozen": pytest.approx(1 / 2.5), "live": 1, "retrained": 1}


def test_windows_without_any_row_are_undefined(tmp_path: Path) -> None:
    folder = tables(tmp_path / "tables", [*TRAINED, *SECOND, (40, "x", "a")])
    result = backtest(folder, tmp_path / "out", models=["popularity"], **{**WALK, "until": 50, "windows": 4})
    for way in WAYS:
        assert [result.value("popularity", way, window, "a") is None for window in range(1, 5)] == [True, False] * 2
    assert not (tmp_path / "out" / "data" / "window-3").exists()  # there is nothing to train it for


def test_an_interrupted_walk_goes_on(log: Path, walked: Backtest, tmp_path: Path) -> None:
    stopped, again, more = Recorder(stop="window-2"), Recorder(), Recorder()
    with pytest.raises(KeyboardInterrupt):
        backtest(log, tmp_path, models=["popularity"], observer=stopped, **WALK)
    assert (stopped.left, stopped.trained) == (2, ["window-1"])
    assert backtest(log, tmp_path, models=["popularity"], observer=again, **WALK) == walked
    assert (again.left, again.trained) == (1, ["window-2"])
    both = backtest(log, tmp_path, models=["popularity", "item-knn"], observer=more, **WALK)
    assert (more.left, both.models) == (2, ("popularity", "item-knn"))
    assert not [stage for stage in more.stages if stage.startswith("preparing")]


ALL = [*TRAINED, *FIRST, *SECOND]
TREND = {"trend": {"half_lives": [5], "delay": 1}}
POPULARITY: Mapping[str, Any] = {**WALK, "models": ["popularity"]}


@pytest.fixture(scope="module")
def done_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tables with trends, and of a walk over them. Not to be written to."""
    folder = tmp_path_factory.mktemp("before")
    backtest(tables(folder / "tables", ALL, **TREND), folder / "out", **POPULARITY)
    return folder


@pytest.mark.parametrize(
    ("schema", "walk", "words"),
    [
        ({"repeats": True}, {}, "window-1: made by another schema"),
        ({}, {"windows": 1}, "window-1: with other keys in its schema"),
        ({}, {"until": 29}, "window-1: with other keys in its schema"),
        ({}, {"settings": {"half_life": 5}}, None),
    ],
)
def test_another_walk_in_the_same_folder_is_refused(
    done_before: Path, tmp_path: Path, schema: dict[str, Any], walk: dict[str, Any], words: str | None
) -> None:
    shutil.copytree(done_before / "out", tmp_path / "out")
    folder = tables(tmp_path / "tables", ALL, **TREND, **schema)
    with pytest.raises(AdiError, match=rf"(?s)never mixed:.*{words or 'half_life None, now 5'}.*--redo"):
        backtest(folder, tmp_path / "out", **POPULARITY | walk)
    recorder = Recorder()
    result = backtest(folder, tmp_path / "out", **POPULARITY | walk, redo=True, observer=recorder)
    assert recorder.left == len(result.windows)


def test_a_failed_cell_is_reported_and_the_others_go_on(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = grid_run.train

    def diverge(prepared: Path, model: str, out: Path, **options: Any) -> Any:
        if model == "item-knn":
            raise AdiError("the training has diverged")
        return train(prepared, model, out, **options)

    monkeypatch.setattr(grid_run, "train", diverge)
    result = backtest(log, tmp_path, models=["item-knn", "popularity"], **WALK)
    assert result.failed == {f"window-{n}/item-knn-0": "the training has diverged" for n in (1, 2)}
    assert result.models == ("popularity",)
    assert "- window-2/item-knn-0: the training has diverged" in result.markdown()
    assert json.loads((tmp_path / "backtest.json").read_text())["failed"] == result.failed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ["popular"]}, "models: 'popular' is not a model"),
        ({"every": 0}, "every: 0; give a length above 0"),
        ({"windows": 9}, "windows: 9 of 10 begin at -60, and the log begins at 0"),
        ({"measure": "recall@7"}, "measure: 'recall@7' is not one of recall@10"),
        ({"seeds": 0}, "seeds: 0; give 1 or more"),
        ({"jobs": 0}, "jobs: 0; give 1 or more"),
        ({"settings": {"lr": 3}}, "setting 'lr' does not exist for any of popularity"),
    ],
)
def test_what_is_refused_before_any_work(log: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(AdiError, match=message):
        backtest(log, tmp_path / "out", **{**WALK, "models": ["popularity"], **change})
    assert not (tmp_path / "out").exists()


def test_a_log_without_time(tmp_path: Path) -> None:
    folder = tables(tmp_path / "tables", TRAINED)
    content = yaml.safe_load((folder / "schema.yaml").read_text())
    del content["interactions"]["time"]
    (folder / "schema.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(AdiError, match=r"schema\.yaml: the log has no time, and windows are stretches of time"):
        backtest(folder, tmp_path / "out", models=["popularity"], **WALK)
