"""The scripts of ``examples``: on the log written by hand, and on a small marketplace."""

import itertools
import runpy
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.data.dataset import Dataset
from adi.marketplace.simulation import Marketplace, simulate
from adi.marketplace.truth import load_truth
from adi.preparation.prepare import prepare
from adi.training.evaluation import evaluate_run
from adi.training.train import train

EXAMPLES = Path(__file__).parents[1] / "examples"
TABLE, WHERE_AHEAD, TRUE_SCORES = (str(EXAMPLES / f"{name}.py") for name in ("table", "where_ahead", "true_scores"))


def test_a_table_tells_configurations_apart(prepared, tmp_path, monkeypatch, capsys) -> None:
    pooled, own = tmp_path / "all", tmp_path / "domain"
    train(prepared, "item-knn", pooled, settings={"scope": "all"})
    train(prepared, "item-knn", own, settings={"scope": "domain"})
    found = {run: evaluate_run(run).mean["recall@50"] for run in (pooled, own)}
    monkeypatch.setattr("sys.argv", ["table.py", str(pooled), str(own)])
    runpy.run_path(TABLE, run_name="__main__")
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == "| recall@50 | seeds | search | feed | kiosk | mean |"
    cells = {row.strip("| ").split(" | ")[0]: row.strip("| ").split(" | ")[1:] for row in rows}
    assert set(cells) == {"item-knn (model.scope=all)", "item-knn (model.scope=domain)"}
    for run in (pooled, own):
        of = cells[f"item-knn (model.scope={run.name})"]
        assert of[0] == "1"
        assert of[-1] == f"{found[run]:.3f}"

    monkeypatch.setattr("sys.argv", ["table.py", str(own), "--metric", "recall@7"])
    with pytest.raises(SystemExit):
        runpy.run_path(TABLE, run_name="__main__")
    assert "--metric: not every run has 'recall@7'" in capsys.readouterr().err


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


def test_inferred_interests_are_the_mean_over_all_that_a_user_may_have(tmp_path) -> None:
    market = tmp_path / "market"
    simulate(market, Marketplace(users=100, items=80, interactions=800, groups=5, seed=2))
    truth = load_truth(market / "truth")
    script = runpy.run_path(TRUE_SCORES)
    domains, domain = np.array([0, 2, 0]), 1
    clicked = np.array([np.flatnonzero(truth.eligible[:, d])[number] for number, d in enumerate(domains)])

    def probabilities(first: int, second: int, share: float, of_domain: int) -> np.ndarray:
        name = truth.settings.domain_names[of_domain]
        scores = np.exp(truth.scores(np.array([[first, second]]), np.array([share]), name)[0])
        return np.asarray(scores / scores.sum())

    expected = np.zeros(80)
    for first, second, share in itertools.product(range(5), range(5), script["SHARES"]):
        weight = np.prod([probabilities(first, second, share, d)[v] for v, d in zip(clicked, domains, strict=True)])
        expected += weight * probabilities(first, second, share, domain)
    found = np.exp(script["InferredInterests"](truth).scores(truth.item_cluster[clicked], domains, domain))
    assert np.allclose(found / found.sum(), expected / expected.sum(), rtol=1e-9, atol=0.0)


def test_inferred_interests_find_less_than_the_true_scores(tmp_path, monkeypatch, capsys) -> None:
    market, prepared = tmp_path / "market", tmp_path / "prepared"
    simulate(market, Marketplace(users=300, items=400, interactions=4500, groups=32, seed=3))
    prepare(market, prepared)
    monkeypatch.setattr("sys.argv", ["true_scores.py", str(market), str(prepared), "-k", "20", "--inferred", "5000"])
    runpy.run_path(TRUE_SCORES, run_name="__main__")
    _, _, *rows = (line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines())
    assert [row[0] for row in rows] == ["true scores", "inferred interests"]
    assert 0.7 * float(rows[0][-1]) < float(rows[1][-1]) < float(rows[0][-1])


def test_counters_beat_popularity_where_items_trend_and_the_truth_beats_both(tmp_path, monkeypatch, capsys) -> None:
    market, prepared = tmp_path / "market", tmp_path / "prepared"
    simulate(market, Marketplace(users=3000, items=800, interactions=45_000, seed=4, trends=0.5))
    prepare(market, prepared)
    train(prepared, "popularity", tmp_path / "all")
    popularity = evaluate_run(tmp_path / "all").mean["recall@50"]
    train(prepared, "popularity", tmp_path / "now", settings={"half_life": "1h"})
    live = evaluate_run(tmp_path / "now")
    assert live.known == "live"
    counters = np.array([live.domains[name]["recall@50"] for name in ("search", "feed", "cart")])

    monkeypatch.setattr("sys.argv", ["true_scores.py", str(market), str(prepared)])
    runpy.run_path(TRUE_SCORES, run_name="__main__")
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    monkeypatch.setattr("sys.argv", ["true_scores.py", str(market), str(prepared), "--inferred", "5"])
    with pytest.raises(SystemExit):
        runpy.run_path(TRUE_SCORES, run_name="__main__")
    assert "--inferred: interests are inferred without trends only" in capsys.readouterr().err
    recall = {name: np.array(cells, dtype=float) for name, *cells in rows if name in ("taste", "true scores")}
    assert counters.mean() > 1.3 * popularity
    assert (recall["true scores"][:-1] > 1.3 * counters).all()
    assert (recall["true scores"] > 1.04 * recall["taste"]).all()
    assert recall["true scores"][1] > 1.1 * recall["taste"][1]  # feed, where items are news
