"""The scripts of ``examples``: on the log written by hand, and on a small marketplace."""

import runpy
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.data.dataset import Dataset
from adi.data.marketplace.simulation import Marketplace, simulate
from adi.data.marketplace.truth import load_truth
from adi.data.prepare import prepare
from adi.training.evaluation import evaluate_run
from adi.training.loop import train

EXAMPLES = Path(__file__).parents[1] / "examples"
WHERE_AHEAD, TRUE_SCORES = str(EXAMPLES / "where_ahead.py"), str(EXAMPLES / "true_scores.py")


def test_which_clicks_are_the_last_of_their_user_in_the_domain(dataset: Dataset) -> None:
    last = runpy.run_path(WHERE_AHEAD)["last_clicks"](dataset)
    assert last["test"].all()  # the split is by last clicks
    assert not last["validation"].any()
    users, _, domains = dataset.targets("train", dataset.rows("train")[last["train"]])
    assert len(np.unique(users)) == len(users) == 2  # fay and gus, whose one click each is in the kiosk
    assert set(domains.tolist()) == {dataset.domains.index("kiosk")}


def test_which_clicks_have_no_history(dataset: Dataset) -> None:
    without = runpy.run_path(WHERE_AHEAD)["without_history"]
    for part in ("train", "validation", "test"):
        rows = dataset.rows(part)
        found = set(rows[without(dataset, part)].tolist())
        assert found == {row for row in rows if not len(dataset.queries(part, np.array([row])).histories.items)}
    # Of each user the first training row has nothing before it.
    assert len(np.unique(dataset.targets("train", dataset.rows("train"))[0])) == without(dataset, "train").sum()


def test_recall_is_shown_by_history_and_what_follows(prepared, tmp_path, monkeypatch, capsys) -> None:
    runs = [str(tmp_path / name) for name in ("popularity", "item-knn")]
    for run in runs:
        train(prepared, Path(run).name, Path(run))
        evaluate_run(Path(run))
    monkeypatch.setattr("sys.argv", ["where_ahead.py", *runs])
    runpy.run_path(WHERE_AHEAD, run_name="__main__")
    new, last, recalls = (table.splitlines() for table in capsys.readouterr().out.split("\n\n"))
    assert new[0] == "| no history | search | feed | kiosk |"
    assert last[0] == "| last clicks | search | feed | kiosk |"
    assert last[-1] == "| test | 100.0% | 100.0% | 100.0% |"
    assert recalls[0] == "| recall@50 | rows | popularity | item-knn |"
    assert [line.split(" | ")[0] for line in recalls[2:]] == [
        f"| {row}" for row in ("search, last", "feed, no history", "feed, last", "kiosk, no history", "kiosk, last")
    ]


def test_a_log_without_time_has_no_last_clicks(tables, tmp_path, monkeypatch, capsys) -> None:
    shutil.copytree(tables, tmp_path / "tables")
    schema = tmp_path / "tables" / "schema.yaml"
    schema.write_text(schema.read_text(encoding="utf-8").replace(", time: time", ""), encoding="utf-8")
    prepare(tmp_path / "tables", tmp_path / "prepared")
    runs = [tmp_path / name for name in ("popularity", "item-knn")]
    for run in runs:
        train(tmp_path / "prepared", run.name, run)
        evaluate_run(run)
    monkeypatch.setattr("sys.argv", ["where_ahead.py", *map(str, runs)])
    with pytest.raises(SystemExit):
        runpy.run_path(WHERE_AHEAD, run_name="__main__")
    assert "prepared: a log without time, in which no click is the last" in capsys.readouterr().err


def test_the_recall_of_the_true_scores(tmp_path, monkeypatch, capsys) -> None:
    market, prepared = tmp_path / "market", tmp_path / "prepared"
    simulate(market, Marketplace(users=150, items=300, interactions=2_000))
    prepare(market, prepared)
    monkeypatch.setattr("sys.argv", ["true_scores.py", str(market), str(prepared)])
    runpy.run_path(TRUE_SCORES, run_name="__main__")
    head, _, found = capsys.readouterr().out.splitlines()
    assert head == "| recall@50 | search | feed | cart | mean |"

    dataset, truth = Dataset(prepared), load_truth(market / "truth")
    traits = {row["user_id"]: row for row in pq.read_table(market / "truth" / "users.parquet").to_pylist()}
    rows = dataset.rows("test")
    hits: dict[str, list[bool]] = {name: [] for name in dataset.domains}
    for row, user, item, domain in zip(rows, *dataset.targets("test", rows), strict=True):
        who = traits[int(dataset.users.key(user))]
        groups, share = np.array([[who["main_group"], who["side_group"]]]), np.array([who["main_share"]])
        scores = truth.scores(groups, share, dataset.domains[domain])[0]
        wanted = int(dataset.items.key(item)) - 1
        seen = [int(dataset.items.key(one)) - 1 for one in dataset.queries("test", np.array([row])).histories.items]
        own = scores[wanted]
        scores[seen] = -np.inf
        hits[dataset.domains[domain]].append((scores > own).sum() < 50)
    expected = [float(np.mean(found)) for found in hits.values()]
    cells = " | ".join(f"{value:.3f}" for value in (*expected, np.mean(expected)))
    assert found == f"| true scores | {cells} |"
