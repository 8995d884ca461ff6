"""The best of each row against `torch.topk`, where items are few and where they are many."""

import pytest
import torch

from adi.evaluation.topk import GROUP, best, pays

KS = (3, 1, 7)
FEW, MANY = 2 * 8 * GROUP - 1, 2 * 8 * GROUP


def test_many_items_are_looked_at_by_group() -> None:
    assert not pays(FEW, max(KS))
    assert pays(MANY, max(KS))


@pytest.mark.parametrize("items", [7, FEW, MANY, MANY + 1, MANY + GROUP - 1, 5000])
def test_they_are_those_of_topk_in_its_order(items: int) -> None:
    scores = torch.rand(50, items, generator=torch.Generator().manual_seed(items), dtype=torch.float64)
    values, columns = best(scores, KS)
    assert torch.equal(values, scores.topk(7, dim=1).values)
    assert torch.equal(columns, scores.topk(7, dim=1).indices)


@pytest.mark.parametrize("place", [0, GROUP - 1, MANY // 2, MANY - 1, MANY, MANY + 4])
def test_the_best_is_found_wherever_it_is(place: int) -> None:
    scores = torch.rand(1, MANY + 5, generator=torch.Generator().manual_seed(0))
    scores[0, place] = 2.0
    assert best(scores, (1,))[1].tolist() == [[place]]


def test_all_of_the_best_may_be_in_one_group() -> None:
    scores = torch.rand(1, MANY, generator=torch.Generator().manual_seed(0))
    together = torch.arange(5, MANY, MANY // GROUP)[:7]
    scores[0, together] = torch.arange(9.0, 2.0, -1.0)
    assert best(scores, KS)[1].tolist() == [together.tolist()]


@pytest.mark.parametrize("distinct", [2, 40, 1000])
def test_of_equal_scores_at_the_end_of_a_list_the_same_belong_to_it(distinct: int) -> None:
    scores = torch.randint(distinct, (200, MANY + 9), generator=torch.Generator().manual_seed(1)).float()
    values, columns = best(scores, KS)
    expected = scores.topk(7, dim=1)
    assert torch.equal(values, expected.values)
    for k in KS:
        assert torch.equal(columns[:, :k].sort(dim=1).values, expected.indices[:, :k].sort(dim=1).values)


def test_items_that_are_left_out_come_last() -> None:
    scores = torch.full((2, MANY), -torch.inf)
    scores[0, [9, 200]] = torch.tensor([1.0, 2.0])
    values, columns = best(scores, KS)
    assert values[0].tolist() == [2.0, 1.0] + [-torch.inf] * 5
    assert columns[0, :2].tolist() == [200, 9]
    assert values[1].tolist() == [-torch.inf] * 7
