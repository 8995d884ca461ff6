"""Coverage against the plain union of all top-k lists."""

import pytest
import torch

from adi.evaluation.coverage import Coverage

KS = (3, 1, 7)


def united(scores, k):
    """The distinct items of every list of k, each from a whole sort of its query's scores."""
    lists = [row.argsort(descending=True)[:k] for row in scores]
    return len({int(item) for row, best in zip(scores, lists, strict=True) for item in best if row[item] > -torch.inf})


def alike(queries, items):
    """Queries with much the same taste, so that new items become rare, and a different one now and then."""
    generator = torch.Generator().manual_seed(7)
    taste = torch.randn(items, generator=generator)
    scores = taste + 0.3 * torch.randn(queries, items, generator=generator)
    scores[::50] = torch.randn(len(scores[::50]), items, generator=generator)
    return scores


@pytest.mark.parametrize("block", [1, 16, 1000])
@pytest.mark.parametrize("left_out", [0.0, 0.6])
def test_counts_are_those_of_all_lists(block, left_out):
    scores = alike(1000, 60)
    scores[torch.rand(scores.shape, generator=torch.Generator().manual_seed(8)) < left_out] = -torch.inf
    coverage = Coverage(num_items=60, ks=KS)
    for rows in scores.split(block):
        coverage.add(rows)
    assert coverage.counts() == {k: united(scores, k) for k in KS}
    assert 0 < coverage.counts()[1] < coverage.counts()[3] < coverage.counts()[7] <= 60


def test_few_lists_are_made_once_new_items_are_rare(monkeypatch):
    tested = []
    whole = Coverage._may_hold_news
    monkeypatch.setattr(
        Coverage, "_may_hold_news", lambda self, scores: tested.append(whole(self, scores)) or tested[-1]
    )
    coverage = Coverage(num_items=60, ks=KS)
    for rows in alike(1000, 60).split(20):
        coverage.add(rows)
    assert len(tested) > 30
    assert 0 < int(torch.cat(tested).sum()) < 0.1 * 20 * len(tested)


def test_of_many_items_all_lists_are_made(monkeypatch):
    monkeypatch.setattr(Coverage, "_may_hold_news", lambda self, scores: pytest.fail("asked"))
    scores = alike(1000, 600)
    coverage = Coverage(num_items=600, ks=KS)
    for rows in scores.split(20):
        coverage.add(rows)
    assert coverage.counts() == {k: united(scores, k) for k in KS}


def test_lists_are_no_longer_than_the_items_there_are():
    coverage = Coverage(num_items=2, ks=(1, 5))
    coverage.add(torch.tensor([[0.0, 1.0]]))
    assert coverage.counts() == {1: 1, 5: 2}
    coverage.add(torch.tensor([[-torch.inf, 1.0], [0.0, -torch.inf]]))
    assert coverage.counts() == {1: 2, 5: 2}


def test_what_is_left_out_is_never_shown():
    coverage = Coverage(num_items=3, ks=(2,))
    for _ in range(5):
        coverage.add(torch.tensor([[-torch.inf, 5.0, -torch.inf]]))
    assert coverage.counts() == {2: 1}


def test_nothing_added_shows_nothing():
    assert Coverage(num_items=4, ks=(1, 3)).counts() == {1: 0, 3: 0}
