"""Results one ahead of their use."""

import threading

import pytest

from adi.training.prefetch import one_ahead


@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_all_results_in_order(length):
    assert list(one_ahead(lambda number: number * number, range(length))) == [n * n for n in range(length)]


def test_the_next_is_computed_while_the_one_before_is_used():
    started = [threading.Event() for _ in range(3)]
    for number, result in enumerate(one_ahead(lambda n: started[n].set() or n, range(3))):
        assert result == number
        assert started[min(number + 1, 2)].wait(timeout=60)


def test_an_exception_comes_where_its_result_would():
    results = one_ahead(lambda number: 1 // number, [1, 0, 1])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
