"""A run on other data than it was trained on: data that was prepared later, read by the run's vocabularies."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.runs.run import read_run
from adi.training.evaluation import evaluate_run
from adi.training.fitted import FittedRun, open_run
from adi.training.train import train
from later_data import Rows, renumber, without_kiosk
from workspace import Workspace

SMALL = {
    "embedding_sets": 1,
    "embedding_dim": 4,
    "dim": 4,
    "networks": (4,),
    "epochs": 2,
    "batch_size": 16,
    "uniform": 3,
}
RUNS: dict[str, dict[str, Any]] = {
    "adi-se": {"keep": "domain", "k": 1, "popularity_prior": False},  # search and feed keep different epochs
    "dnn-single": {"neighbours": 2, "popularity_prior": False},
    "mind": {"popularity_prior": False},
    "dnn": {},
}

WITHOUT_PRIOR = [name for name, settings in RUNS.items() if settings]
"""Runs whose scores depend on nothing but the query and the item: a popularity prior counts the rows of the data."""


@pytest.fixture(scope="module", params=RUNS)
def run(prepared: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("runs") / request.param
    train(prepared, request.param, folder, settings=SMALL | RUNS[request.param])
    return folder


@pytest.fixture(scope="module")
def dnn(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "dnn"
    train(prepared, "dnn", folder, settings=SMALL)
    return folder


def scores(opened: FittedRun, users: list[str], items: list[str], domain: str) -> Any:
    """The scores (n, m) of items for users with their complete histories, by ids."""
    dataset, number = opened.dataset, opened.dataset.domains.index(domain)
    item_numbers = np.array([dataset.items.find(item) for item in items])
    order = np.argsort(item_numbers)
    context = {name: np.full(len(users), 3) for name in ("device", "hour")}
    queries = dataset.latest(
        np.array([dataset.users.find(user) for user in users]), np.full(len(users), number), context
    )
    found = opened.scorer.against(number, item_numbers[order])(queries).numpy()
    return found[:, np.argsort(order)]


def test_a_copy_of_the_data_gives_the_same_ranks(run: Path, prepared: Path, tmp_path: Path) -> None:
    own = evaluate_run(run)
    ranks = (run / "ranks.parquet").read_bytes()
    copy = evaluate_run(run, prepared=shutil.copytree(prepared, tmp_path / "copy"))
    assert (run / "ranks.parquet").read_bytes() == ranks
    assert copy.prepared is not None
    assert copy.unknown
    assert own == copy.model_copy(update={"prepared": None, "unknown": ()})


@pytest.mark.parametrize("run", WITHOUT_PRIOR, indirect=True)
def test_scores_depend_on_ids_alone(run: Path, later: Callable[..., Path]) -> None:
    """Whatever else is in the data, and however it is numbered: users, items, domains, values and buckets."""
    own = open_run(run)
    users, items = ["bo b", "eve", "joe", "zoë"], ["pen", "ink", "mug", "été", "cap"]
    for changes, domains in (((renumber,), ("search", "feed", "kiosk")), ((without_kiosk,), ("search", "feed"))):
        other = open_run(run, prepared=later(*changes, name=changes[0].__name__))
        assert other.dataset.domains != own.dataset.domains
        for domain in domains:
            expected = scores(own, users, items, domain)
            assert np.ptp(expected) > 0
            np.testing.assert_allclose(scores(other, users, items, domain), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("run", WITHOUT_PRIOR, indirect=True)
def test_items_that_the_run_does_not_know_score_by_their_features(run: Path, later: Callable[..., Path]) -> None:
    opened = open_run(run, prepared=later(renumber))
    one, same, known = scores(opened, ["eve"], ["aa", "bb", "pen"], "feed")[0]
    assert one == pytest.approx(same, abs=1e-6)  # two new items with the same features
    assert one != pytest.approx(known, abs=1e-6)


def test_the_popularity_prior_counts_the_rows_of_the_data(dnn: Path, later: Callable[..., Path]) -> None:
    own, other = open_run(dnn), open_run(dnn, prepared=later(renumber))
    for _, dataset, scorer in (own, other):
        domain, items = dataset.domains.index("feed"), np.array([dataset.items.find("pen"), dataset.items.find("mug")])
        items.sort()
        towers = scorer.scorers[domain]
        expected = towers.model.prior.item() * dataset.corpora.log_popularity(domain, items)
        np.testing.assert_allclose(towers.item_vectors(domain, items)[:, -1].numpy(), expected, rtol=1e-5)


def more_rows(rows: Rows, schema: dict[str, Any]) -> None:
    """Two hundred more clicks, of old and new users, on old and new items."""
    rng = np.random.default_rng(0)
    items, users = ["pen", "ink", "mug", "new1", "new2"], ["ana", "joe", *(f"u{number}" for number in range(40))]
    for time in range(100, 300):
        user, item, domain = rng.choice(users), rng.choice(items), rng.choice(["search", "feed"])
        rows["clicks"].append({"user": user, "item": item, "domain": domain, "time": time, "device": "phone"})


def test_two_hundred_more_rows(run: Path, later: Callable[..., Path]) -> None:
    data = later(more_rows)
    metrics = evaluate_run(run, prepared=data, ks=(2,))
    manifest = Dataset(data).manifest
    assert metrics.fingerprint == manifest.fingerprint
    assert (run / str(metrics.prepared)).resolve() == data
    assert {name: values["queries"] for name, values in metrics.domains.items()} == {
        name: counts.test for name, counts in manifest.by_domain.items()
    }
    read = read_run(run)
    assert read.metrics == metrics
    assert (read.prepared, read.fingerprint) == (data, manifest.fingerprint)
    assert read.open_dataset().manifest == Dataset(data, all_rows=read.info.refit).manifest
    unknown = {(counted.side, counted.feature): counted.unknown for counted in metrics.unknown}
    assert unknown["item", "item_id"] == 4  # two new items in two domains each
    assert unknown["history", "item_id"] > 40
    assert unknown["context", "device"] == 0


def test_data_that_lacks_a_domain(run: Path, later: Callable[..., Path]) -> None:
    metrics = evaluate_run(run, prepared=later(without_kiosk), ks=(1,))
    assert list(metrics.domains) == ["feed", "search"]
    assert read_run(run).domains == ("feed", "search")


def test_the_training_data_may_be_gone(dnn: Path, prepared: Path, later: Callable[..., Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(dnn, tmp_path / "run"))
    info = json.loads((run / "run.json").read_text())
    del info["digest"], info["files"]
    (run / "run.json").write_text(json.dumps(info | {"prepared": "gone"}))
    other = later(more_rows)
    assert open_run(run, prepared=other).dataset.folder == other
    with pytest.raises(AdiError, match="gone: not a prepared dataset"):
        open_run(run)
    shutil.rmtree(run / "coding")  # as in a run of an older adi
    with pytest.raises(AdiError, match="gone: not a prepared dataset"):
        open_run(run, prepared=other)
    (run / "run.json").write_text(json.dumps(info | {"prepared": str(prepared)}))
    assert open_run(run, prepared=other).dataset.folder == other
    (run / "run.json").write_text(json.dumps(info | {"prepared": str(other)}))
    with pytest.raises(AdiError, match=r"later: of other data than .*run was trained on .* Train the run again"):
        open_run(run, prepared=other)
    with pytest.raises(AdiError, match=r"has changed since the training .*--prepared .*later"):
        open_run(run)


@pytest.mark.parametrize("model", ["popularity", "item-knn"])
def test_a_model_without_weights_is_fitted_to_the_data(
    prepared: Path, later: Callable[..., Path], tmp_path: Path, model: str
) -> None:
    data = later(more_rows)
    for name, folder in (("old", prepared), ("new", data)):
        train(folder, model, tmp_path / name)
    assert not (tmp_path / "old" / "coding").exists()
    metrics = evaluate_run(tmp_path / "old", prepared=data)
    assert metrics.unknown == ()
    assert metrics.domains == evaluate_run(tmp_path / "new").domains


def test_a_domain_that_no_run_knows(prepared: Path, later: Callable[..., Path], dnn: Path, tmp_path: Path) -> None:
    def feeds(rows: Rows, schema: dict[str, Any]) -> None:
        rows["clicks"] += [{"user": user, "item": "pen", "domain": "feeds", "time": 99} for user in ("ni", "nu")]
        schema["domains"]["values"].append("feeds")

    train(prepared, "popularity", tmp_path / "popularity")
    data = later(feeds)
    for folder in (dnn, tmp_path / "popularity"):
        with pytest.raises(AdiError, match=r"domain 'feeds' is unknown to the run \(search, feed, kiosk\)"):
            evaluate_run(folder, prepared=data)


@pytest.mark.parametrize("refit", [False, True])
def test_ids_that_only_validation_rows_have_are_known_after_a_refit(workspace: Workspace, refit: bool) -> None:
    """With validation by time the newest training rows bring items of their own."""
    rows = [
        {"user": f"u{time % 7}", "item": f"i{time // 10 + time % 3}", "domain": "ab"[time % 2], "time": time}
        for time in range(200)
    ]
    workspace.write("log.jsonl", rows)
    workspace.schema["split"] = {"kind": "time", "at": 180}
    workspace.prepare("data")
    assert len(Dataset(workspace.out).held_out_ids("item_id"))
    data, run = workspace.out, workspace.out.parent / "run"
    train(data, "dnn", run, settings=SMALL | {"refit": refit})
    own = evaluate_run(run)
    copy = evaluate_run(run, prepared=shutil.copytree(data, data.parent / "copy"))
    assert copy.ranks == own.ranks
    unknown = {(counted.side, counted.feature): counted.unknown for counted in copy.unknown}
    assert (unknown["history", "item_id"] == 0) == refit
