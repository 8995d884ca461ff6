"""Verdicts of intervals, and the words for them."""

import pytest

from adi.comparison.difference import listed, sentence, summary, verdict


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.020, 0.043, "helps"),
        (0.001, 0.006, "helps"),
        (-0.043, -0.020, "hurts"),
        (-0.006, -0.001, "hurts"),
        (-0.004, 0.003, "makes no difference"),
        (0.0, 0.0, "makes no difference"),
        (0.001, 0.005, "makes no difference"),  # better, but by too little to matter
        (-0.005, -0.001, "makes no difference"),
        (-0.001, 0.006, "not decided"),  # contains 0, and more than the margin
        (-0.030, 0.002, "not decided"),
        (0.0, 0.02, "not decided"),
    ],
)
def test_an_interval_and_the_margin_give_the_verdict(low, high, word):
    assert verdict(low, high, margin=0.005, users=50) == word


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.2), (-0.2, -0.1), (0.0, 0.0)])
def test_few_users_decide_nothing(low, high):
    assert verdict(low, high, margin=0.005, users=49) == "not decided"


def test_without_a_margin_nothing_but_equality_makes_no_difference():
    assert verdict(-1e-9, 1e-9, margin=0, users=1000) == "not decided"
    assert verdict(0, 0, margin=0, users=1000) == "makes no difference"


def test_sentences():
    because = "+0.031, 95 % +0.020 to +0.043"
    assert (
        sentence("pooled training", "helps", domain="r5", because=because)
        == "pooled training helps in r5 (+0.031, 95 % +0.020 to +0.043)"
    )
    assert sentence("dnn", "hurts", domain=None, because="x") == "dnn hurts on average (x)"
    assert (
        sentence("dnn", "not decided", domain="r5", because="x")
        == "whether dnn helps or hurts in r5 is not decided (x)"
    )


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ({"r1": "hurts", "r2": "helps", "r5": "helps"}, "dnn helps in r2 and r5, hurts in r1"),
        ({"r1": "not decided", "r2": "makes no difference"}, "dnn makes no difference in r2; not decided in r1"),
        ({"r1": "not decided", "r2": "not decided"}, "dnn: not decided in r1 and r2"),
    ],
)
def test_a_summary_names_each_domain_once(verdicts, words):
    assert summary("dnn", verdicts) == words


def test_lists_in_words():
    assert [listed("a"), listed("ab"), listed("abc", "or")] == ["a", "a and b", "a, b or c"]
