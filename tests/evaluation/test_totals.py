"""What each user's queries gain, by hand."""

from math import inf

import pytest

from adi.errors import AdiError
from adi.evaluation.breakdown import Slice
from adi.evaluation.totals import totals_by_user
from adi.metrics import MRR, RECALL
from adi.runs.run import read_runs


def test_sums_of_each_user_in_each_run(ranked_run):
    first = ranked_run("first", {"search": [(7, 0), (3, 1), (7, 4)], "kiosk": [], "feed": [(9, 2), (3, 0), (9, inf)]})
    second = ranked_run(
        "second", {"search": [(7, 9), (3, 9), (7, 1)], "kiosk": [], "feed": [(9, 9), (3, 9), (9, 0.5)]}, model="b"
    )
    totals, users = totals_by_user(read_runs([first, second]), MRR, 3)
    assert list(totals) == [None]
    search, kiosk, feed = totals[None]
    assert users == 3  # 3, 7 and 9
    assert search.users.tolist() == [0, 1]
    assert search.sums.tolist() == [[1, 1 / 2, 0], [2, 1, 1 / 2]]
    assert feed.users.tolist() == [0, 2]
    assert feed.sums.tolist() == [[1, 1, 0], [2, pytest.approx(1 / 3), pytest.approx(1 / 1.5)]]
    assert (kiosk.users.shape, kiosk.sums.shape) == ((0,), (0, 3))


def test_sums_of_each_slice_that_holds_a_query(ranked_run):
    given = {"search": [(7, 0, 0), (3, 1, 2), (7, 4, 30)], "feed": [(9, 2, 1), (3, 0, 2), (9, inf, 2)]}
    run = ranked_run("run", given)
    totals, users = totals_by_user(read_runs([run]), RECALL, 3, ["history_length"])
    assert users == 3
    assert list(totals) == [None, *(Slice("history_length", label) for label in ("0", "1–2", "21+"))]
    found = {
        among.label: [(own.users.tolist(), own.sums.tolist()) for own in parts]
        for among, parts in totals.items()
        if among is not None
    }
    assert found == {
        "0": [([1], [[1, 1]]), ([], [])],
        "1–2": [([0], [[1, 1]]), ([0, 2], [[1, 1], [2, 1]])],
        "21+": [([1], [[1, 0]]), ([], [])],
    }


def test_without_any_query_there_is_nothing_to_compare_by(ranked_run):
    run = ranked_run("one", {"search": []})
    with pytest.raises(AdiError, match=r"one/ranks\.parquet: no test query in any domain"):
        totals_by_user(read_runs([run]), RECALL, 3)
