"""The order of methods against the paper's, on ranks made up so that the answer is known."""

from math import inf

import pytest

from adi.evaluation.groups import Group
from adi.reproduce.orderings import Ordering, compare_order, draw, kendall_tau, orderings_of
from adi.reproduce.paper import Published
from adi.reproduce.results import Outcome, Results
from adi.reproduce.tables import Row, Table
from adi.runs.run import read_run

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


def order_of(groups: dict[str, Group]) -> Ordering | None:
    places = {name: place for place, name in enumerate(groups)}
    return compare_order(places, draw(list(groups.values()), "recall@50"), PUBLISHED)


def test_pairs_and_tau_by_hand(group) -> None:
    groups = {"C": group("C", (100, 70)), "Z": group("Z", (160, 80)), "B": group("B", (100, 50))}
    ordering = order_of(groups)
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
    ordering = order_of(groups)
    assert ordering is not None
    (pair,) = ordering.pairs
    assert pair.here > 0
    assert pair.verdict == "not decided"
    assert ordering.tau == 1.0


def test_equal_methods_are_not_decided_and_have_no_tau(group) -> None:
    ordering = order_of({"Z": group("Z", (90, 40)), "B": group("B", (90, 40))})
    assert ordering is not None
    assert [pair.verdict for pair in ordering.pairs] == ["not decided"]
    assert ordering.tau == 0.0


def test_one_method_has_no_order(group) -> None:
    assert order_of({"Z": group("Z", (90, 40)), "Y": group("Y", (90, 40))}) is None


def test_a_pair_is_judged_alike_whichever_form_stands_for_adi(group) -> None:
    """Else a report could call one pair decided with one form and not with the other."""
    rows = (
        Row("Z, ours", "adi-se", method="Z", form="ours"),
        Row("D, ours", "adi-va", method="D", form="ours"),
        Row("Z, literal", "adi-paper", method="Z", form="literal"),
        Row("B", "dnn", method="B"),
        Row("C", "mmoe", method="C"),
    )
    hits = [
        ((140, 60), (150, 70)),
        ((40, 30), (50, 20)),
        ((90, 40), (80, 50)),
        ((100, 55), (118, 50)),
        ((105, 50), (104, 52)),
    ]
    outcomes = tuple(Outcome(row, group(row.label, *own)) for row, own in zip(rows, hits, strict=True))
    table = Table("t", "Table 0", "", ("marketplace",), rows, published=PUBLISHED)
    ours, literal = orderings_of(Results(table, "marketplace", ("search", "feed"), outcomes))
    shared = [pair for pair in ours.pairs if not {pair.above, pair.below} & {"Z", "D"}]
    assert [(pair.above, pair.below) for pair in shared] == [("B", "C")]
    assert shared[0] in literal.pairs
    assert shared[0].low < shared[0].here < shared[0].high
    assert [pair.here for pair in ours.pairs if pair.above == "Z"] != [
        pair.here for pair in literal.pairs if pair.above == "Z"
    ]


def test_a_form_of_which_nothing_was_run_has_no_order(group) -> None:
    rows = (
        Row("Z, ours", "adi-se", method="Z", form="ours"),
        Row("Z, literal", "adi-paper", method="Z", form="literal"),
        Row("B", "dnn", method="B"),
        Row("C", "mmoe", method="C"),
    )
    outcomes = (
        Outcome(rows[0], group("Z", (140, 60))),
        Outcome(rows[1], None),
        Outcome(rows[2], group("B", (90, 40))),
        Outcome(rows[3], group("C", (100, 55))),
    )
    table = Table("t", "Table 0", "", ("marketplace",), rows, published=PUBLISHED)
    found = orderings_of(Results(table, "marketplace", ("search", "feed"), outcomes))
    assert [ordering.form for ordering in found] == ["with ADI's default form"]


def test_kendall_tau_by_hand() -> None:
    assert kendall_tau([0.1, 0.2, 0.3]) == 1
    assert kendall_tau([-0.1, -0.2, -0.3]) == -1
    assert kendall_tau([0.1, -0.1, 0.0, 0.2]) == pytest.approx((1 - 1 + 0 + 1) / 4)
