"""Recall and spread of scores that come a block of items at a time, against all scores at once."""

import numpy as np
import pytest
import torch

from adi.exporting import recall as recall_module
from adi.exporting.recall import recall, spreads

NUM_QUERIES, NUM_ITEMS, K = 7, 23, 5


@pytest.fixture(params=[(1, 3), (4, 12), (1000, 100_000)], ids=["items one by one", "uneven blocks", "all at once"])
def blocks(request, monkeypatch):
    """Sizes of blocks: items, and scores."""
    monkeypatch.setattr(recall_module, "ITEMS_AT_ONCE", request.param[0])
    monkeypatch.setattr(recall_module, "SCORES_AT_ONCE", request.param[1])


@pytest.fixture
def matrix():
    return torch.randn(NUM_QUERIES, NUM_ITEMS, generator=torch.Generator().manual_seed(0))


def in_blocks(matrix):
    return lambda queries, items: matrix[queries, items]


def test_the_exact_lists_have_a_recall_of_one(blocks, matrix):
    lists = matrix.topk(K, dim=1).indices.numpy()
    assert recall(in_blocks(matrix), lists, NUM_ITEMS, 0.0) == 1.0
    assert recall(in_blocks(matrix), lists[:, ::-1], NUM_ITEMS, 0.0) == 1.0


def test_items_that_are_not_among_the_best_are_misses(blocks, matrix):
    ranked = matrix.sort(dim=1, descending=True).indices.numpy()
    lists = ranked[:, :K].copy()
    lists[0, 2] = ranked[0, K]  # the first that is not among them
    lists[3, :2] = ranked[3, -2:]
    lists[6, 4] = -1  # a list that is shorter
    assert recall(in_blocks(matrix), lists, NUM_ITEMS, 0.0) == pytest.approx(1 - 4 / (NUM_QUERIES * K))


def test_scores_as_high_as_the_kth_count_up_to_the_tolerance(blocks):
    scores = torch.tensor([[5.0, 4.0, 4.0, 3.0], [-10.0, -20.0, -21.0, -30.0]])
    lists = np.array([[0, 2], [0, 2]])
    assert recall(in_blocks(scores), lists, 4, 0.0) == 0.75
    assert recall(in_blocks(scores), lists, 4, 0.06) == 1.0  # of 20, it is 1.2
    assert recall(in_blocks(scores), np.array([[0, 3], [0, 1]]), 4, 0.06) == 0.75


def test_lists_of_all_items(blocks, matrix):
    lists = np.tile(np.arange(NUM_ITEMS), (NUM_QUERIES, 1))
    assert recall(in_blocks(matrix), lists, NUM_ITEMS, 0.0) == 1.0


def test_the_spread_is_the_standard_deviation_over_all_items(blocks, matrix):
    matrix += 1000 * torch.arange(NUM_QUERIES)[:, None]
    expected = matrix.double().std(dim=1, correction=0)
    np.testing.assert_allclose(spreads(in_blocks(matrix), NUM_QUERIES, NUM_ITEMS), expected, rtol=1e-9)
