"""Groups of runs by model and configuration, and the estimates over their seeds."""

import json

import pytest

from adi.runs.groups import Estimate, group_runs
from adi.runs.run import read_runs

QUERIES = {"search": [(0, 0.0), (1, 99.0)]}


def test_configurations_of_one_model_are_distinguished_by_the_settings_that_differ(ranked_run) -> None:
    runs = [
        ranked_run("a", QUERIES, model="adi-se", config={"optimizer": {"lr": 0.001}, "batch_size": 4096}),
        ranked_run("b", QUERIES, model="adi-se", config={"optimizer": {"lr": 0.002}, "batch_size": 4096}),
        ranked_run("c", QUERIES, model="adi-se", config={"optimizer": {"lr": 0.002}, "batch_size": 4096}, seed=1),
        ranked_run("d", QUERIES, model="dnn", config={"optimizer": {"lr": 0.003}}),
    ]
    groups = group_runs(read_runs(runs))
    assert [group.label for group in groups] == ["adi-se (optimizer.lr=0.001)", "adi-se (optimizer.lr=0.002)", "dnn"]
    assert [len(group.runs) for group in groups] == [1, 2, 1]


def test_trainings_on_other_data_are_distinguished_by_the_data(ranked_run) -> None:
    today = {"prepared": "../today", "fingerprint": "beef"}
    old = ranked_run("old", QUERIES, prepared="../monday", fingerprint="f00d" * 8, evaluated=today)
    new = ranked_run("new", QUERIES, prepared="../today", fingerprint="beef")
    counted = [ranked_run(f"count-{name}", QUERIES, model="popularity", parameters=None) for name in ("old", "new")]
    for folder, evaluated in zip(counted, (today, {"fingerprint": "beef"}), strict=True):
        metrics = json.loads((folder / "metrics.json").read_text()) | evaluated
        (folder / "metrics.json").write_text(json.dumps(metrics))
    groups = group_runs(read_runs([old, new, *counted]))
    assert [group.label for group in groups] == ["dnn (data=monday)", "dnn (data=today)", "popularity"]
    same_name = ranked_run("same", QUERIES, prepared="../today", fingerprint="f00d" * 8, evaluated=today)
    assert [group.label for group in group_runs(read_runs([same_name, new]))] == [
        "dnn (data=f00df00d)",
        "dnn (data=beef)",
    ]


def test_a_measure_is_the_mean_and_spread_over_the_seeds(ranked_run) -> None:
    runs = [ranked_run(f"run-{seed}", {"search": [(0, 0.0), (1, rank)]}, seed=seed) for seed, rank in ((0, 1), (1, 99))]
    (group,) = group_runs(read_runs(runs))
    assert group.measure("recall@2", domain="search") == Estimate(0.75, pytest.approx(0.25 * 2**0.5))
    assert group.measure("recall@2").mean == 0.75
    assert group.measure("ndcg@2") == Estimate(None)


def test_an_estimate_leaves_out_undefined_values() -> None:
    assert Estimate.of([0.2, None, float("nan"), 0.4]) == Estimate(
        mean=pytest.approx(0.3), spread=pytest.approx(0.02**0.5)
    )
    assert Estimate.of([0.2]) == Estimate(mean=0.2, spread=None)
    assert Estimate.of([None]) == Estimate(mean=None, spread=None)
