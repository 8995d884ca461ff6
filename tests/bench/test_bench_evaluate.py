"""The benchmark of the exact ranking, on a corpus small enough for a test."""

from pathlib import Path

import numpy as np
import pytest
import torch

from adi.bench.evaluate import HISTORY, CorpusSize, bench_evaluate, simulated_dataset, simulated_vectors
from adi.evaluation.ranking import rank

SIZE = CorpusSize(items=1000, users=30, dim=8)


def test_both_ways_rank_the_same_corpus() -> None:
    threads = torch.get_num_threads()
    report = bench_evaluate(SIZE, rounds=2).as_json()
    ours, alone = report["rows"]
    assert (ours["way"], alone["way"]) == ("adi evaluate, exact ranks", "product and top 100 alone")
    for row in report["rows"]:
        assert 0 < row["least"] <= row["users_per_second"] <= row["most"]
    assert report["found"]["rate_by_bare"] == pytest.approx(ours["users_per_second"] / alone["users_per_second"], 0.01)
    assert report["settings"]["threads"] == 1
    assert torch.get_num_threads() == threads


def test_what_is_measured_is_the_exact_rank_without_the_history(tmp_path: Path) -> None:
    dataset, vectors = simulated_dataset(tmp_path, SIZE), simulated_vectors(SIZE)
    rows = dataset.rows("test")
    assert len(rows) == SIZE.users
    found = rank(vectors, dataset, "test", 0, rows, candidates=None, causal=True, ks=(10,))
    users, wanted, _ = dataset.targets("test", rows)
    histories = dataset.queries("test", rows).histories
    assert dataset.corpora.retrievable(0).tolist() == list(range(SIZE.items))
    assert histories.lengths.tolist() == [HISTORY] * SIZE.users
    scores = (vectors.users[torch.from_numpy(users)] @ vectors.items.T).numpy()
    for row, item in enumerate(wanted):
        seen = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        left = np.setdiff1d(np.arange(SIZE.items), seen[seen != item])
        assert found.ranks[row] == (scores[row, left] > scores[row, item]).sum()
