"""The order of methods against the paper's, on ranks made up so that the answer is known."""

from math import inf

import pytest

from adi.evaluation.groups import Group
from adi.evaluation.runs import read_run
from adi.reproduce.orderings import compare_order, kendall_tau
from adi.reproduce.paper import Published

PUBLISHED = Published(
    "Recall@9", "some data", ("x", "y"), {"Z": (0.9, 0.7), "B": (0.6, 0.4), "C": (0.2, 0.4), "D": (0, 0)}
)


def queries(search, feed):
    """200 users with a query in search and 100 of them in feed; the first so many are hits."""
    return {
        "search": [(user, 0.0 if user < search else inf) for user in range(200)],
        "feed": [(user, 0.0 if user < feed else inf) for user in range(100)],
    }


@pytest.fixture
def group(ranked_run):
    def make(label, *hits):
        runs = [
            read_run(ranked_run(f"{label}-{seed}", queries(*one), model="dnn", seed=seed))
            for seed, one in enumerate(hits)
        ]
        return Group(label=label, runs=tuple(runs))

    return make


def test_pairs_and_tau_by_hand(group) -> None:
    groups = {"C": group("C", (100, 70)), "Z": group("Z", (160, 80)), "B": group("B", (100, 50))}
    ordering = compare_order(groups, PUBLISHED, "recall@50")
    assert ordering is not None
    # means over the domains: Z (.8 + .8) / 2, B (.5 + .5) / 2, C (.5 + .7) / 2
    assert [(pair.above, pair.below) for pair in ordering.pairs] == [("Z", "B"), ("Z", "C"), ("B", "C")]
    assert [pair.here for pair in ordering.pairs] == pytest.approx([0.3, 0.2, -0.1])
    assert [pair.published for pair in ordering.pairs] == pytest.approx([0.3, 0.5, 0.2])
    assert [pair.verdict for pair in ordering.pairs] == ["agrees", "agrees", "disagrees"]
    assert ordering.tau == pytest.approx(1 / 3)
    for pair in ordering.pairs:
        assert pair.low < pair.here < pair.high
    assert [(pair.above, pair.below) for pair in ordering.of("disagrees")] == [("B", "C")]


def test_a_difference_within_the_spread_of_seeds_is_not_decided(group) -> None:
    groups = {"Z": group("Z", (120, 50), (80, 50), (110, 50)), "B": group("B", (100, 50), (118, 50), (78, 50))}
    ordering = compare_order(groups, PUBLISHED, "recall@50")
    assert ordering is not None
    (pair,) = ordering.pairs
    assert pair.here > 0
    assert pair.verdict == "not decided"
    assert ordering.tau == 1.0


def test_equal_methods_are_not_decided_and_have_no_tau(group) -> None:
    ordering = compare_order({"Z": group("Z", (90, 40)), "B": group("B", (90, 40))}, PUBLISHED, "recall@50")
    assert ordering is not None
    assert [pair.verdict for pair in ordering.pairs] == ["not decided"]
    assert ordering.tau == 0.0


def test_one_method_has_no_order(group) -> None:
    assert compare_order({"Z": group("Z", (90, 40)), "Y": group("Y", (90, 40))}, PUBLISHED, "recall@50") is None


def test_kendall_tau_by_hand() -> None:
    assert kendall_tau([0.1, 0.2, 0.3]) == 1
    assert kendall_tau([-0.1, -0.2, -0.3]) == -1
    assert kendall_tau([0.1, -0.1, 0.0, 0.2]) == pytest.approx((1 - 1 + 0 + 1) / 4)
