from threading import Thread

import pytest

from adi.thread_budget import ThreadBudget


def shares(budget: ThreadBudget, others: int) -> int:
    """The share of a request while so many others are active, each in a thread of its own."""
    share: list[int] = []

    def work(more: int) -> None:
        with budget.active():
            if more:
                thread = Thread(target=work, args=(more - 1,))
                thread.start()
                thread.join()
            else:
                share.append(budget.share())

    work(others)
    return share[0]


def test_one_request_has_all_cores_and_several_share_them() -> None:
    budget = ThreadBudget(4)
    assert [shares(budget, others) for others in (0, 1, 2, 3, 4)] == [4, 2, 1, 1, 1]  # at least one
    assert budget.share() == 4


def test_a_thread_counts_once() -> None:
    budget = ThreadBudget(2)
    with budget.active():
        with budget.active():
            assert budget.share() == 2
        assert shares(budget, 1) == 1  # the end of the inner block has not ended the outer one


def test_a_request_that_fails_returns_its_cores() -> None:
    budget = ThreadBudget(2)
    with pytest.raises(RuntimeError), budget.active():
        raise RuntimeError
    assert shares(budget, 1) == 1
    assert shares(budget, 0) == 2
