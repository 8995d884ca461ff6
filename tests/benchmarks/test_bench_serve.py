"""The benchmark of serving, on a market small enough for a test; of its figures only recall means something here."""

from pathlib import Path

import numpy as np
import pytest

from adi.training.fitted import open_run
from benchmarks.serving.market import MarketSize, market_run

SMALL = "serve --items 1000 --domains 2 --dim 8 -k 20"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "market"


@pytest.fixture(scope="module")
def report(measure, folder: Path):
    return measure(SMALL, "--rounds 2 --calls 8 --folder", folder)


def test_every_way_is_measured(report) -> None:
    assert [row["way"] for row in report["rows"]] == [
        "served over HTTP",
        "served, 4 clients",
        "served, 64 clients",
        "served, 4 clients, 64 in a body",
        "faiss alone, the same index",
        "one index, filtered by domain",
        "exact scan",
    ]
    served, *rates, filtered, scan = report["rows"]
    for row in (served, rates[-1], filtered, scan):
        assert 0 < row["p50_least"] <= row["p50_ms"] <= row["p50_most"]
        assert row["p50_ms"] <= row["p99_ms"]
    for row in rates:
        assert row["per_second"] > 0
    summary = report["found"]
    assert summary["ready_s"] > 0
    assert summary["vectors_mb"] == 0
    assert summary["resident_by_vectors"] == pytest.approx(summary["resident_mb"] / 0.032)


def test_the_server_finds_what_its_index_finds(report) -> None:
    served, *_, faiss, filtered, scan = (row["recall"] for row in report["rows"])
    assert 0.98 < served == faiss < scan == 1.0  # on other queries than the index was tuned by, for 0.99
    assert filtered >= faiss
    assert report["found"]["recall_at_export"] >= 0.99


def test_the_next_call_opens_the_same_bundle(measure, folder: Path, report) -> None:
    before = (folder / "bundle" / "bundle.json").stat().st_mtime_ns
    again = measure(SMALL, "--rounds 1 --calls 4 --folder", folder)
    assert (folder / "bundle" / "bundle.json").stat().st_mtime_ns == before
    assert again["settings"]["rounds"] == 1


def test_a_folder_of_another_market_is_refused(benchmark, folder: Path, report) -> None:
    done = benchmark("serve --items 2000 --domains 2 --dim 8 -k 20 --folder", folder)
    assert done.returncode == 2
    assert f"--folder: {folder} holds a market of {{'items': 1000" in done.stderr


def test_a_folder_of_something_else_is_refused(benchmark, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    done = benchmark("serve --folder", tmp_path)
    assert done.returncode == 2
    assert f"--folder: {tmp_path} is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_users_are_near_the_items_that_they_clicked(tmp_path: Path) -> None:
    """The untrained model's vectors have the structure that they are made for."""
    run = market_run(tmp_path, MarketSize(items=3000, domains=2, dim=16))
    _, dataset, scorer = open_run(run)
    assert dataset.manifest.by_domain["d0"].corpus == 3000
    users = np.arange(50)
    queries = dataset.latest(users, np.zeros(50, dtype=np.int64), {})
    scores = scorer.against(0, np.arange(3000))(queries).numpy()
    histories = np.split(queries.histories.items, queries.histories.offsets[1:-1])
    ranks = [
        np.flatnonzero(np.argsort(-user_scores) == item)[0]
        for user_scores, items in zip(scores, histories, strict=True)
        for item in items[-1:]
    ]
    assert np.median(ranks) < 1000  # of 3000; 1500 by chance
