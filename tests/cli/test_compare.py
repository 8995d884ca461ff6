"""The command compare: its tables, its JSON, its exit codes as a gate, and its errors."""

import json
import shutil
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from adi.data.dataset import Dataset
from adi.data.overlap import overlaps
from adi.marketplace.settings import Marketplace
from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare
from adi.runs.ranks import read_ranks, write_ranks
from adi.runs.run import read_run

DOMAINS = ["search", "cart", "feed"]  # as the guessed schema has them


@pytest.fixture(scope="module")
def runs(adi, pipeline, tmp_path_factory) -> dict[str, Path]:
    """The pipeline's adi-se, popularity, and `lost`: popularity with no item found in feed; all at K 5 and 20."""
    folder = tmp_path_factory.mktemp("compared")
    shutil.copytree(pipeline.folder / "prepared", folder / "prepared")
    shutil.copytree(pipeline.folder / "run", folder / "adi-se")
    card = json.loads((folder / "adi-se" / "run.json").read_text())
    (folder / "adi-se" / "run.json").write_text(json.dumps(card | {"prepared": "../prepared"}))
    adi("train", folder / "prepared", "--model", "popularity", "--out", folder / "popularity")
    for name in ("adi-se", "popularity"):
        assert adi("evaluate", folder / name, "--k", "5,20").returncode == 0
    shutil.copytree(folder / "popularity", folder / "lost")
    metrics, card = (json.loads((folder / "lost" / f"{name}.json").read_text()) for name in ("metrics", "run"))
    ranks = read_ranks(read_run(folder / "lost"))
    ranks["feed"] = replace(ranks["feed"], ranks=np.full(len(ranks["feed"].ranks), inf))
    (folder / "lost" / "metrics.json").write_text(json.dumps(metrics | {"ranks": write_ranks(folder / "lost", ranks)}))
    (folder / "lost" / "run.json").write_text(json.dumps(card | {"model": "lost"}))
    return {name: folder / name for name in ("adi-se", "popularity", "lost", "prepared")}


def test_tables_have_the_numbers_of_the_evaluation(adi, runs) -> None:
    said = adi("compare", runs["popularity"], runs["adi-se"], "-k", "20", "--replicates", "300")
    assert (said.returncode, said.stderr) == (0, "")
    lines = [line.split() for line in said.stdout.splitlines() if line.strip()]
    assert " ".join(lines[0]) == (
        "recall@20 on test, against the corpus, history: earlier. Seeds: popularity 1, adi-se 1."
    )
    assert lines[1] == ["adi-se", "against", "popularity"]
    assert lines[2] == ["domain", "users", "baseline", "model", "difference", "95", "%", "interval", "verdict"]
    lines = [" ".join(line).replace("over queries", "over-queries").split() for line in lines]
    rows = {line[0]: line for line in lines[3:] if line[0] in (*DOMAINS, "mean", "over-queries") and len(line) > 6}
    for name, run in (("popularity", 2), ("adi-se", 3)):
        metrics = json.loads((runs[name] / "metrics.json").read_text())
        values = [*metrics["domains"].values(), metrics["mean"], metrics["mean_over_queries"]]
        assert [row[run] for row in rows.values()] == [f"{value['recall@20']:.4f}" for value in values]
    assert list(rows) == [*DOMAINS, "mean", "over-queries"]
    for row in rows.values():
        value, low, high = (float(row[place]) for place in (4, 5, 7))
        assert low <= value <= high
        assert value == pytest.approx(float(row[3]) - float(row[2]), abs=2e-4)
    assert "In words: adi-se" in said.stdout
    assert (
        "Only one seed of adi-se: the intervals cover the variation between users, not between trainings."
        in said.stdout
    )
    assert max(map(len, said.stdout.split("In words")[0].splitlines()[1:])) <= 80


def test_tables_of_the_overlap_are_beside_it(adi, runs) -> None:
    said = adi("compare", runs["popularity"], runs["adi-se"], "--replicates", "100").stdout
    found = overlaps(Dataset(runs["prepared"]))
    lines = [line.split() for line in said.splitlines()]
    for overlap in (found.users, found.items):
        for domain, row in zip(found.domains, overlap.together.tolist(), strict=True):
            assert [domain, *(f"{count:,}" for count in row)] in lines
    assert said.endswith(f"{found.in_words()}.\n")


def test_many_domains_have_no_tables_of_the_overlap(adi, tmp_path: Path) -> None:
    market = Marketplace(users=300, items=300, interactions=3_000, domains=11)
    simulate(tmp_path / "market", market, progress=False)
    prepare(tmp_path / "market", tmp_path / "prepared", progress=False)
    runs = [tmp_path / model for model in ("popularity", "item-knn")]
    for run in runs:
        adi("train", tmp_path / "prepared", "--model", run.name, "--out", run)
        adi("evaluate", run)
    said = adi("compare", *runs, "--replicates", "100").stdout
    assert "in both of each pair" not in said
    common = overlaps(Dataset(tmp_path / "prepared"))
    assert said.endswith(f"{common.in_words()}. --json has the numbers of each pair of domains.\n")
    together = json.loads(adi("compare", *runs, "--replicates", "100", "--json").stdout)["overlap"]["users"]["together"]
    assert together == common.users.together.tolist()


def test_json_has_all_numbers(adi, runs) -> None:
    options = ["--json", "--measure", "mrr@7", "--margin", "0.01", "--replicates", "150", "--seed", "4"]
    said = adi("compare", runs["adi-se"], runs["popularity"], runs["lost"], "--baseline", "lost", *options)
    assert (said.returncode, said.stdout.count("\n")) == (0, 1)
    found = json.loads(said.stdout)
    assert {key: found[key] for key in ("measure", "baseline", "margin", "replicates", "seed")} == {
        "measure": "mrr@7",
        "baseline": "lost",
        "margin": 0.01,
        "replicates": 150,
        "seed": 4,
    }
    assert [(one["model"], one["domain"], one["mean"]) for one in found["differences"]] == [
        (model, *column)
        for model in ("adi-se", "popularity")
        for column in (*((domain, None) for domain in DOMAINS), (None, "domains"), (None, "queries"))
    ]
    assert found["overlap"]["domains"] == DOMAINS
    assert np.array(found["overlap"]["users"]["together"]).shape == (3, 3)
    assert found["differences"][2]["verdict"] == "helps"
    assert found["differences"][2]["sentence"].startswith("adi-se helps in feed (+")


def test_a_gate_exits_with_3_where_a_domain_is_hurt(adi, runs) -> None:
    worse = [runs["popularity"], runs["lost"], "--replicates", "200"]
    assert adi("compare", *worse).returncode == 0
    for option in ("--gate", "--gate-strict"):
        said = adi("compare", *worse, option)
        assert said.returncode == 3
        assert said.stderr.startswith("gate: lost hurts in feed (-")
        assert said.stderr.count("\n") == 1
    assert adi("compare", *worse, "--baseline", "lost", "--gate-strict").returncode == 0
    said = adi("compare", *worse, "--gate", "--json")
    assert (said.returncode, len(json.loads(said.stdout)["differences"])) == (3, 5)


def test_a_strict_gate_takes_not_decided_for_a_failure(adi, runs, tmp_path: Path) -> None:
    unsure = shutil.copytree(runs["popularity"], tmp_path / "unsure")
    metrics, card = (json.loads((unsure / f"{name}.json").read_text()) for name in ("metrics", "run"))
    ranks = read_ranks(read_run(unsure))
    swapped = ranks["cart"].ranks.copy()
    swapped[np.flatnonzero(swapped < 50)[:3]] = inf
    swapped[np.flatnonzero(swapped >= 50)[-3:]] = 0
    ranks["cart"] = replace(ranks["cart"], ranks=swapped)
    (unsure / "metrics.json").write_text(json.dumps(metrics | {"ranks": write_ranks(unsure, ranks)}))
    (unsure / "run.json").write_text(json.dumps(card | {"model": "unsure"}))
    both = [runs["popularity"], unsure, "--replicates", "200"]
    assert adi("compare", *both, "--gate").returncode == 0
    said = adi("compare", *both, "--gate-strict")
    assert said.returncode == 3
    assert said.stderr.startswith("gate: whether unsure helps or hurts in cart is not decided (+0.000, 95 % -")


def test_groups_of_queries_have_tables_and_the_gate_sees_them(adi, runs) -> None:
    groups = ["--by", "item_popularity", "--by", "history_length"]
    worse = [runs["popularity"], runs["lost"], *groups, "--replicates", "200"]
    said = adi("compare", *worse, "--gate")
    assert said.returncode == 3
    assert "gate: lost hurts in feed at item_popularity " in said.stderr
    titles = [line for line in said.stdout.splitlines() if "against popularity" in line]
    assert titles == [
        "lost against popularity",
        "lost against popularity, by item_popularity",
        "lost against popularity, by history_length",
    ]
    lines = [line.split() for line in said.stdout.split(titles[1])[1].split(titles[2])[0].splitlines() if line.strip()]
    assert lines[0][:3] == ["domain", "group", "users"]
    places = [line[0] for line in lines if line[0] in (*DOMAINS, "mean")]
    assert places == [*DOMAINS, "mean"]
    metrics = json.loads((runs["popularity"] / "metrics.json").read_text())
    shown = {group["group"]: group["recall@20"] for group in metrics["breakdown"]["item_popularity"]["feed"]}
    compared = json.loads(adi("compare", *worse, "-k", "20", "--json").stdout)["differences"]
    grouped = [one for one in compared if one["domain"] == "feed" and one["among"] is not None and one["users"]]
    in_feed = [one for one in grouped if one["among"]["by"] == "item_popularity"]
    assert {one["among"]["label"]: one["baseline_value"] for one in in_feed} == pytest.approx(shown)
    assert all(one["value"] == 0 for one in in_feed)


def test_without_the_data_the_overlap_is_not_available(adi, runs, tmp_path: Path) -> None:
    moved = [shutil.copytree(runs[name], tmp_path / "runs" / name) for name in ("popularity", "adi-se")]
    said = adi("compare", *moved, "--replicates", "100")
    assert said.returncode == 0
    assert said.stderr.startswith("The overlap of the domains is not available: ")
    assert "not a prepared dataset (no manifest.json)" in said.stderr
    assert "In words: " in said.stdout
    assert json.loads(adi("compare", *moved, "--replicates", "100", "--json").stdout)["overlap"] is None


def test_a_metric_of_your_own_is_given_by_its_path(adi, runs, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "outside_metric.py").write_text(
        "from adi.metrics import Metric\nHIT = Metric('hit', lambda ranks, k: (ranks < k).astype(float))\n"
    )
    monkeypatch.chdir(tmp_path)
    both = [runs["popularity"], runs["lost"], "--replicates", "100"]
    hit = ["--measure", "hit@5", "--metric", "outside_metric:HIT"]
    assert adi("compare", *both, *hit).stdout.startswith("hit@5 on test, against the corpus")
    by_hit, by_recall = (json.loads(adi("compare", *both, "--json", *words).stdout) for words in (hit, ["-k", "5"]))
    assert by_hit["measure"] == "hit@5"
    assert by_hit["differences"] == by_recall["differences"]  # it is recall by another name
    said = adi("compare", *both, "--measure", "hit@5", "--metric", "outside_metric:MISS")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("adi: --metric: 'outside_metric:MISS': there is no such name.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["adi-se"], "nothing to compare: all runs are of adi-se"),
        (["adi-se", "adi-se"], "this run is given twice"),
        (["adi-se", "popularity", "-k", "0"], "-k: 0; give 1 or more"),
        (["adi-se", "popularity", "-k", "5", "--measure", "mrr@5"], "-k 5 and --measure mrr@5: give one of them"),
        (["adi-se", "popularity", "--measure", "map@5"], "--measure: 'map@5' is not recall@K, ndcg@K or mrr@K"),
        (["adi-se", "popularity", "--baseline", "popular"], "Did you mean 'popularity'?"),
        (["adi-se", "popularity", "--replicates", "10"], "--replicates: 10; a 95 % interval takes 100 or more"),
        (
            ["adi-se", "popularity", "--by", "age"],
            "--by: 'age' is not one of history_length, history_in_domain, item_pop",
        ),
        (["adi-se", "prepared"], "prepared: not a run (no run.json)"),
        (["adi-se", "nowhere"], "nowhere: not a run (no run.json)"),
    ],
)
def test_a_users_fault_ends_in_one_message(
    adi, runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = adi("compare", *(runs.get(word, word) for word in words))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("adi: ")
    assert message in done.stderr
