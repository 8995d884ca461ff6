"""Peers of the portfolio: the exchange with their process, ranks, tuning, and the rows of the page."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from adi.comparison.compare import compare
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.evaluation.evaluate import evaluate
from adi.evaluation.ranking import Rankings
from adi.evaluation.ranking import rank as adi_rank
from adi.grid.cells import Cell
from adi.grid.folder import GridFolder
from adi.grid.progress import Silent
from adi.grid.provenance import Provenance
from adi.grid.run import run_cells
from adi.grid.versions import Version, manifests_in
from adi.marketplace.settings import Marketplace
from adi.models.popularity import Popularity
from adi.runs.ranks import read_ranks
from adi.runs.run import read_run
from benchmarks.portfolio.datasets import MARKETPLACE, PortfolioDataset, make_dataset
from benchmarks.portfolio.peers.exchange import write_data
from benchmarks.portfolio.peers.process.data import Array, Data, Queries, Rows, read_data
from benchmarks.portfolio.peers.process.ranking import rank
from benchmarks.portfolio.peers.process.sessions import sessions_of
from benchmarks.portfolio.peers.rows import PEERS, PeerRow
from benchmarks.portfolio.peers.runs import run_peers
from benchmarks.portfolio.portfolio import evaluate as evaluate_cell
from benchmarks.portfolio.results import KS, against, groups_of, page
from benchmarks.portfolio.rows import Row
from tests.benchmarks.stand_in import GOOD_EPOCH, POPULARITY, Counted

MARKET = PortfolioDataset(MARKETPLACE, "tiny", Marketplace(users=400, items=200, interactions=6_000))
STAND_INS = (
    PeerRow("stand-in", "tests.benchmarks.stand_in:POPULARITY", by_domain=False),
    PeerRow("stand-in-domain", "tests.benchmarks.stand_in:POPULARITY", by_domain=True),
    PeerRow("broken", "tests.benchmarks.stand_in:BROKEN", by_domain=False),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> GridFolder:
    """A grid with a small marketplace, prepared."""
    grid = GridFolder(tmp_path_factory.mktemp("grid"))
    make_dataset(MARKET, None, grid.data("market"), Provenance(source="", code=""))
    return grid


@pytest.fixture(scope="module")
def version(folder: GridFolder) -> Version:
    return Version("code", manifests_in(folder))


@pytest.fixture(scope="module")
def cells() -> dict[str, Cell]:
    return {row.name: row.cells("market", 1)[0] for row in STAND_INS}


@pytest.fixture(scope="module")
def failed(folder: GridFolder, version: Version, cells: dict[str, Cell]) -> dict[str, str]:
    """The errors of the stand-ins, all of which have run."""
    return run_peers(folder, version, list(cells.values()), Silent(), jobs=1, python=Path(sys.executable))


@pytest.fixture(scope="module")
def data(folder: GridFolder, tmp_path_factory: pytest.TempPathFactory) -> Data:
    path = tmp_path_factory.mktemp("exchange") / "data.npz"
    write_data(Dataset(folder.prepared("market")), path, ks=KS)
    return read_data(path)


@pytest.mark.parametrize("name", ["stand-in", "stand-in-domain"])
def test_a_peer_has_the_ranks_of_adis_evaluation(folder, cells, failed, name: str) -> None:
    run = read_run(folder.run(cells[name]))
    ranked: dict[str, Rankings] = {}
    dataset = Dataset(folder.prepared("market"), all_rows=True)
    expected = evaluate(Popularity(dataset), dataset, ks=KS, done=ranked.__setitem__)
    ranks = read_ranks(run)
    for domain in dataset.domains:
        assert ranks[domain].ranks.tolist() == ranked[domain].ranks.tolist()
        assert ranks[domain].rows.tolist() == ranked[domain].rows.tolist()
        for by, numbers in ranked[domain].by.items():
            assert ranks[domain].by[by].tolist() == numbers.tolist()
    assert run.metrics.breakdown == expected.breakdown
    without_ties = [measure for measure in expected.mean if "coverage" not in measure]
    assert {measure: run.metrics.mean[measure] for measure in without_ties} == {
        measure: expected.mean[measure] for measure in without_ties
    }


def test_settings_and_epochs_are_chosen_on_validation_rows(folder, cells, failed) -> None:
    info = read_run(folder.run(cells["stand-in"])).info
    assert (info.status, info.refit, info.model) == ("complete", True, "stand-in")
    assert info.config["model"] == {"factor": 1.0}
    assert info.config["epochs"] == [GOOD_EPOCH]
    log = (folder.run(cells["stand-in"]) / "peer.log").read_text()
    assert f"epoch {GOOD_EPOCH + POPULARITY.patience}" in log
    assert f"epoch {GOOD_EPOCH + POPULARITY.patience + 1}" not in log


def test_a_failed_peer_is_named_with_the_reason(cells, failed) -> None:
    assert list(failed) == ["market/broken-0"]
    assert "the peer's process ended with 1: ValueError: no luck today" in failed["market/broken-0"]
    assert "Failed: market/broken-0: the peer's" in page({}, {}, [], {}, failed)


def test_a_finished_peer_is_not_run_again(folder, version, cells, failed) -> None:
    again = run_peers(folder, version, list(cells.values()), Silent(), jobs=1, python=Path("nowhere/python"))
    assert again == failed


def test_compare_reads_a_peers_run(folder, cells, failed) -> None:
    runs = [folder.run(cells[name]) for name in ("stand-in", "stand-in-domain")]
    comparison = compare(runs, baseline="stand-in")
    assert [d.difference for d in comparison.of("stand-in-domain") if d.mean == "domains"] == [0.0]


def test_the_page_has_the_best_peer_and_all_rows(folder, version, cells, failed) -> None:
    rows = (Row("popularity", "popularity"), Row("adi-se", "adi-se"))
    of_adi = [cell for row in rows for cell in row.cells("market", 1, {"epochs": 1})]
    assert not run_cells(folder, version, of_adi, Silent(), evaluate=evaluate_cell, jobs=1, device="cpu")
    groups = groups_of(folder, [*of_adi, *cells.values()])
    assert [group.label for group in groups] == ["popularity", "adi-se", "stand-in", "stand-in-domain"]
    names = [row.name for row in STAND_INS]
    with_peers = page({"market": [against(groups, k, names) for k in KS]}, version.manifests, [], {}, failed)
    recall = groups[2].measure("recall@10").mean
    assert "| best peer | | lead of adi-se (95 %) | behind in |" in with_peers
    assert f"| stand-in | {recall:.4f} |" in with_peers  # the best peer, and its row
    assert f"| stand-in-domain | {recall:.4f} |" in with_peers
    without = page({"market": [against(groups[:2], k) for k in KS]}, version.manifests, [], {}, {})
    assert "peer" not in without
    assert "All models" not in without


class Table:
    """The same scores of users and items for adi and for a peer, no two alike."""

    def __init__(self, users: int, items: int) -> None:
        self.values = np.random.default_rng(0).permutation(users * items).reshape(users, items).astype(np.float32)
        self.known_items, self.parameters = np.ones(items, dtype=bool), 0

    def can_score(self, queries: Queries) -> Array:
        return np.ones(len(queries), dtype=bool)

    def scores(self, queries: Queries, items: Array) -> Array:
        return self.values[queries.users][:, items]

    def against(self, domain: int, items: Array):
        return lambda queries: torch.from_numpy(self.values[queries.users][:, items])


@pytest.mark.parametrize("repeats", [False, True])
def test_ranks_and_coverage_are_those_of_adi(folder, data, repeats: bool) -> None:
    dataset, table = Dataset(folder.prepared("market")), Table(data.rows.num_users, data.rows.num_items)
    data = Data(**{**vars(data), "repeats": repeats})
    rows = dataset.rows("test")
    for domain in range(len(dataset.domains)):
        in_domain = rows[dataset.targets("test", rows)[2] == domain]
        expected = adi_rank(
            table, dataset, "test", domain, in_domain, candidates=None, causal=True, exclude_seen=not repeats, ks=KS
        )
        ranked = rank(table, data.test.in_domain(domain), data, data.rows.counts(domain), scope=[0, 1, 2], ks=KS)
        assert ranked.ranks.tolist() == expected.ranks.tolist()
        assert dict(zip(KS, ranked.covered, strict=True)) == expected.covered


def test_the_exchange_has_every_row_and_the_histories_of_queries(folder, data) -> None:
    dataset = Dataset(folder.prepared("market"))
    validation = dataset.rows("validation")
    assert np.flatnonzero(data.is_validation).tolist() == validation.tolist()
    assert len(data.rows) == dataset.num_rows
    assert len(data.validation) == len(validation)
    for part, queries in (("validation", data.validation), ("test", data.test)):
        rows = validation if part == "validation" else dataset.rows("test")
        order = np.argsort(dataset.targets(part, rows)[2], kind="stable") if part == "validation" else slice(None)
        histories = dataset.queries(part, rows[order]).histories
        assert queries.items.tolist() == histories.items.tolist()
        assert queries.offsets.tolist() == histories.offsets.tolist()


def _rows(users: Sequence[int], items: Sequence[int], domains: Sequence[int]) -> Rows:
    return Rows(np.array(users), np.array(items), np.array(domains), num_users=9, num_items=6)


def _data(rows: Rows, test: Queries) -> Data:
    corpora = [np.arange(6), np.arange(6)]
    return Data(rows, np.zeros(len(rows), dtype=bool), test, test, corpora, repeats=False, k=2, ks=())


class Half(Counted):
    """Knows items 0 to 2 and users below 5, and notes the histories that it sees."""

    known_items = np.arange(6) < 3
    seen: Queries

    def can_score(self, queries: Queries) -> Array:
        return queries.users < 5

    def scores(self, queries: Queries, items: Array) -> Array:
        self.seen = queries
        return np.repeat(np.array([[1.0, 2.0, 3.0, 9.0, 9.0, 9.0]]), len(queries), axis=0)


def test_unknown_items_rank_last_and_unknown_users_get_popularity() -> None:
    rows = _rows([0, 1, 1, 2], [4, 4, 0, 1], [0, 0, 0, 1])
    users, targets = np.array([0, 0, 0, 7, 7]), np.array([2, 4, 1, 4, 5])
    history, offsets = np.array([2, 0]), np.array([0, 0, 0, 2, 2, 2])
    queries = Queries(users, np.zeros(5, dtype=int), targets, history, np.array([1, 0]), offsets)
    model = Half(rows, 1.0)
    ranked = rank(model, queries, _data(rows, queries), rows.counts(0), scope=[0])
    # The third query leaves out items 2 and 0. Popularity in domain 0 is 4, then 0, then four items without rows.
    assert ranked.ranks.tolist() == [0.0, 4.0, 0.0, 0.0, 3.5]
    assert model.seen.items.tolist() == [0]  # of domain 0 alone


def test_the_target_in_the_history_is_a_miss() -> None:
    rows = _rows([0], [1], [0])
    queries = Queries(np.array([0]), np.array([0]), np.array([2]), np.array([2]), np.array([0]), np.array([0, 1]))
    assert rank(Half(rows, 1.0), queries, _data(rows, queries), rows.counts(0), scope=[0]).ranks.tolist() == [np.inf]


def test_each_row_but_the_first_is_predicted_once() -> None:
    rows = _rows([0, 1, 1, 3, 3, 3, 3, 3, 3], range(9), [0] * 9)
    positions, sessions = sessions_of(rows, length=2)
    by_session: dict[int, list[int]] = {}
    for position in np.argsort(positions, kind="stable"):
        by_session.setdefault(int(sessions[position]), []).append(int(positions[position]))
    assert sorted(by_session.values()) == [[0], [1, 2], [3, 4], [4, 5, 6], [6, 7, 8]]


def test_every_peer_is_there_pooled_and_by_domain() -> None:
    assert [row.name for row in PEERS if not row.by_domain] == ["ials", "bpr", "sasrec", "esasrec"]
    assert [row.name for row in PEERS if row.by_domain] == [f"{r.name}-domain" for r in PEERS if not r.by_domain]
    for row in PEERS:
        path, _, name = row.path.partition(":")
        source = Path(*path.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        assert "adi." not in source.replace("`adi.", "")
        assert name in source


def test_a_dataset_with_trends_is_refused(folder, tmp_path: Path, monkeypatch) -> None:
    dataset = Dataset(folder.prepared("market"))
    monkeypatch.setattr(dataset, "manifest", dataset.manifest.model_construct(**{**vars(dataset.manifest), "trend": 1}))
    with pytest.raises(AdiError, match="has trends, and its test is live"):
        write_data(dataset, tmp_path / "data.npz", ks=KS)


def test_the_report_of_the_choice_is_kept(folder, cells, failed) -> None:
    with np.load(folder.run(cells["stand-in-domain"]) / "result.npz") as stored:
        report = json.loads(str(stored["report"]))
    assert [trial["settings"] for trial in report["trials"]] == [{"factor": -1.0}, {"factor": 1.0}]
    assert report["chosen"]["epochs"] == [GOOD_EPOCH] * 3
    assert set(report["versions"]) == {"python", "numpy"}
