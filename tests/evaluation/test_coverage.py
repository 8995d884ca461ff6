"""Coverage against the union of all top-k lists, and these lists against `torch.topk`."""

import pytest
import torch

from adi.evaluation.coverage import GROUP, Coverage, groups_are_faster, top_k

KS = (3, 1, 7)
FEW, MANY = 2 * 8 * GROUP - 1, 2 * 8 * GROUP


def united(scores, k):
    """The number of distinct items in all lists of k, each from a sort of its query's scores."""
    lists = [row.argsort(descending=True)[:k] for row in scores]
    return len({int(item) for row, top in zip(scores, lists, strict=True) for item in top if row[item] > -torch.inf})


def alike(queries, items):
    """Queries with similar scores, so that new items become rare, and a different one now and then."""
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
    masks = []
    may_add_items = Coverage._may_add_items
    monkeypatch.setattr(
        Coverage, "_may_add_items", lambda self, scores: masks.append(may_add_items(self, scores)) or masks[-1]
    )
    coverage = Coverage(num_items=60, ks=KS)
    for rows in alike(1000, 60).split(20):
        coverage.add(rows)
    assert len(masks) > 30
    assert 0 < int(torch.cat(masks).sum()) < 0.1 * 20 * len(masks)


def test_all_lists_are_made_where_items_are_many(monkeypatch):
    monkeypatch.setattr(Coverage, "_may_add_items", lambda self, scores: pytest.fail("lists were chosen"))
    scores = alike(1000, 600)
    coverage = Coverage(num_items=600, ks=KS)
    for rows in scores.split(20):
        coverage.add(rows)
    assert coverage.counts() == {k: united(scores, k) for k in KS}


def test_lists_are_no_longer_than_the_number_of_items():
    coverage = Coverage(num_items=2, ks=(1, 5))
    coverage.add(torch.tensor([[0.0, 1.0]]))
    assert coverage.counts() == {1: 1, 5: 2}
    coverage.add(torch.tensor([[-torch.inf, 1.0], [0.0, -torch.inf]]))
    assert coverage.counts() == {1: 2, 5: 2}


def test_items_that_are_left_out_are_never_counted():
    coverage = Coverage(num_items=3, ks=(2,))
    for _ in range(5):
        coverage.add(torch.tensor([[-torch.inf, 5.0, -torch.inf]]))
    assert coverage.counts() == {2: 1}


def test_without_queries_nothing_is_counted():
    assert Coverage(num_items=4, ks=(1, 3)).counts() == {1: 0, 3: 0}


def test_groups_are_faster_where_items_are_many() -> None:
    assert not groups_are_faster(FEW, max(KS))
    assert groups_are_faster(MANY, max(KS))


@pytest.mark.parametrize("items", [7, FEW, MANY, MANY + 1, MANY + GROUP - 1, 5000])
def test_lists_are_those_of_torch_in_its_order(items: int) -> None:
    scores = torch.rand(50, items, generator=torch.Generator().manual_seed(items), dtype=torch.float64)
    values, columns = top_k(scores, KS)
    assert torch.equal(values, scores.topk(7, dim=1).values)
    assert torch.equal(columns, scores.topk(7, dim=1).indices)


@pytest.mark.parametrize("column", [0, GROUP - 1, MANY // 2, MANY - 1, MANY, MANY + 4])
def test_the_highest_score_is_found_in_any_column(column: int) -> None:
    scores = torch.rand(1, MANY + 5, generator=torch.Generator().manual_seed(0))
    scores[0, column] = 2.0
    assert top_k(scores, (1,))[1].tolist() == [[column]]


def test_a_list_may_come_from_one_group() -> None:
    scores = torch.rand(1, MANY, generator=torch.Generator().manual_seed(0))
    in_one_group = torch.arange(5, MANY, MANY // GROUP)[:7]
    scores[0, in_one_group] = torch.arange(9.0, 2.0, -1.0)
    assert top_k(scores, KS)[1].tolist() == [in_one_group.tolist()]


@pytest.mark.parametrize("distinct", [2, 40, 1000])
def test_ties_at_the_end_of_a_list_are_resolved_as_in_torch(distinct: int) -> None:
    scores = torch.randint(distinct, (200, MANY + 9), generator=torch.Generator().manual_seed(1)).float()
    values, columns = top_k(scores, KS)
    expected = scores.topk(7, dim=1)
    assert torch.equal(values, expected.values)
    for k in KS:
        assert torch.equal(columns[:, :k].sort(dim=1).values, expected.indices[:, :k].sort(dim=1).values)


def test_items_that_are_left_out_come_last() -> None:
    scores = torch.full((2, MANY), -torch.inf)
    scores[0, [9, 200]] = torch.tensor([1.0, 2.0])
    values, columns = top_k(scores, KS)
    assert values[0].tolist() == [2.0, 1.0] + [-torch.inf] * 5
    assert columns[0, :2].tolist() == [200, 9]
    assert values[1].tolist() == [-torch.inf] * 7
