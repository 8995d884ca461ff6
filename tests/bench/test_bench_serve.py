"""The benchmark of serving, on a market small enough for a test; of what it finds only recall is of interest here."""

from pathlib import Path

import numpy as np
import pytest
from adi.training.run import open_run

from adi.bench.serve.market import MarketSize, build_market
from adi.bench.serve.measure import bench_serve
from adi.errors import AdiError

SIZE = MarketSize(items=1000, domains=2, dim=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "market"


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, object]:
    return bench_serve(folder, SIZE, k=20, rounds=2, calls=8).as_json()


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
    served, *_, alone, single, exact = report["rows"]
    for row in (served, alone, single, exact):
        assert 0 < row["p50_least"] <= row["p50_ms"] <= row["p50_most"]
        assert row["p50_ms"] <= row["p99_ms"]
    for row in report["rows"][1:5]:
        assert row["per_second"] > 0
    assert report["found"]["ready_s"] > 0


def test_what_is_served_is_what_the_index_finds(report) -> None:
    served, *_, alone, single, exact = (row["recall"] for row in report["rows"])
    assert 0.98 < served == alone < exact == 1.0  # on other queries than the index was tuned by, for 0.99
    assert single >= alone
    assert report["found"]["recall_at_export"] >= 0.99


def test_the_next_call_goes_on_with_the_bundle(folder: Path, report) -> None:
    before = (folder / "bundle" / "bundle.json").stat().st_mtime_ns
    again = bench_serve(folder, SIZE, k=20, rounds=1, calls=4).as_json()
    assert (folder / "bundle" / "bundle.json").stat().st_mtime_ns == before
    assert again["settings"]["rounds"] == 1


def test_a_folder_of_another_market_is_refused(folder: Path, report) -> None:
    with pytest.raises(AdiError, match=r"holds a market of .*'items': 1000.*Give another --folder"):
        bench_serve(folder, SIZE.model_copy(update={"items": 2000}), k=20)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(AdiError, match="is not empty"):
        bench_serve(tmp_path, SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_users_are_near_the_items_of_what_they_took(tmp_path: Path) -> None:
    """The untrained model's vectors have the structure that they are made for."""
    run = build_market(tmp_path, MarketSize(items=3000, domains=2, dim=16))
    _, dataset, scorer = open_run(run)
    assert dataset.manifest.by_domain["d0"].corpus == 3000
    users = np.arange(50)
    queries = dataset.latest(users, np.zeros(50, dtype=np.int64), {})
    scores = scorer.against(0, np.arange(3000))(queries).numpy()
    ranks = [
        np.flatnonzero(np.argsort(-own) == item)[0]
        for own, items in zip(scores, np.split(queries.histories.items, queries.histories.offsets[1:-1]), strict=True)
        for item in items[-1:]
    ]
    assert np.median(ranks) < 1000  # of 3000; 1500 by chance
