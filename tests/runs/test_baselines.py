"""Baselines beside a model: significance by hand, and what is said of them."""

import pytest

from adi.runs.baselines import Baselines, DomainBaselines, read_baselines, significantly, write_baselines


def domain(model, *, ahead=(), behind=(), **baselines):
    return DomainBaselines(rows=500, model=model, baselines=baselines, ahead=ahead, behind=behind)


BASELINES = Baselines(
    model="adi-se",
    k=10,
    domains={
        "search": domain(0.5, popularity=0.1, ease=0.4, behind=("popularity", "ease")),
        "feed": domain(0.3, popularity=0.1, ease=0.31, behind=("popularity",)),
        "cart": domain(0.2, popularity=0.1, ease=0.3, ahead=("ease",)),
    },
)


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [(10, 2, True), (9, 2, True), (8, 2, False), (100, 75, False), (100, 70, True), (0, 0, False), (2, 10, False)],
)
def test_significance_by_hand(better, worse, expected):
    assert significantly(better, worse) == expected  # 8 / sqrt(12) = 2.31, 7 / sqrt(11) = 2.11, 6 / sqrt(10) = 1.90


def test_sentences_say_where_the_model_stands():
    assert BASELINES.sentences() == [
        "Validation recall@10 beside popularity and ease:",
        "  significantly ahead of all: search (0.500, ease 0.400)",
        "  no significant difference to the best: feed (0.300, ease 0.310)",
        "  significantly BEHIND: cart (0.200, ease 0.300)",
        "There adi-se is no gain: take the baseline's lists (adi retrieve-all), or tune the model (adi tune).",
    ]


def test_baselines_are_read_as_they_were_written(tmp_path):
    assert read_baselines(tmp_path) is None
    write_baselines(tmp_path, BASELINES)
    assert read_baselines(tmp_path) == BASELINES
