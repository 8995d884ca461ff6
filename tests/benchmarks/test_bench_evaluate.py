"""The benchmark of the exact ranking, on a corpus small enough for a test."""

from pathlib import Path

import numpy as np
import pytest
import torch

from adi.evaluation.ranking import rank
from benchmarks.evaluate import HISTORY_LENGTH, simulated_dataset, simulated_vectors


def test_both_ways_rank_the_same_corpus(measure) -> None:
    threads = torch.get_num_threads()
    report = measure("evaluate --items 1000 --users 30 --dim 8 --rounds 2")
    adi, bare = report["rows"]
    assert (adi["way"], bare["way"]) == ("adi evaluate, exact ranks", "product and top 100 alone")
    for row in report["rows"]:
        assert 0 < row["least"] <= row["users_per_second"] <= row["most"]
    assert report["found"]["rate_by_bare"] == pytest.approx(adi["users_per_second"] / bare["users_per_second"], 0.01)
    assert report["settings"]["threads"] == 1
    assert torch.get_num_threads() == threads


def test_the_exact_rank_without_the_history_is_measured(tmp_path: Path) -> None:
    num_items, num_users = 1000, 30
    dataset, vectors = simulated_dataset(tmp_path, num_items, num_users), simulated_vectors(num_items, num_users, 8)
    rows = dataset.rows("test")
    assert len(rows) == num_users
    rankings = rank(vectors, dataset, "test", 0, rows, candidates=None, causal=True, exclude_seen=True, ks=(10,))
    users, wanted, _ = dataset.targets("test", rows)
    histories = dataset.queries("test", rows).histories
    assert dataset.corpora.retrievable(0).tolist() == list(range(num_items))
    assert histories.lengths.tolist() == [HISTORY_LENGTH] * num_users
    scores = (vectors.users[torch.from_numpy(users)] @ vectors.items.T).numpy()
    for row, item in enumerate(wanted):
        history = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        ranked = np.setdiff1d(np.arange(num_items), history)
        assert rankings.ranks[row] == ((scores[row, ranked] > scores[row, item]).sum() if item in ranked else np.inf)
