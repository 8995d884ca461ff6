from threading import Thread

import pytest

from adi.thread_budget import Cores


def shares(cores: Cores, others: int) -> int:
    """What a request gets while so many others are at work, each in a thread of its own."""
    found: list[int] = []

    def work(more: int) -> None:
        with cores.at_work():
            if more:
                thread = Thread(target=work, args=(more - 1,))
                thread.start()
                thread.join()
            else:
                found.append(cores.share())

    work(others)
    return found[0]


def test_one_request_has_all_cores_and_several_share_them() -> None:
    cores = Cores(4)
    assert [shares(cores, others) for others in (0, 1, 2, 3, 4)] == [4, 2, 1, 1, 1]  # at least one
    assert cores.share() == 4


def test_a_thread_counts_once() -> None:
    cores = Cores(2)
    with cores.at_work():
        with cores.at_work():
            assert cores.share() == 2
        assert shares(cores, 1) == 1  # the inner block's end has not ended this one


def test_a_request_that_fails_gives_its_cores_back() -> None:
    cores = Cores(2)
    with pytest.raises(RuntimeError), cores.at_work():
        raise RuntimeError
    assert shares(cores, 1) == 1
    assert shares(cores, 0) == 2
