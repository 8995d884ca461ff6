"""Personal popularity by hand: counts, recency, domains, and the order of items without any."""

import numpy as np
import pytest

from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.models.personal_popularity import PersonalPopularity, PersonalPopularitySettings

SEARCH, FEED, _ = range(3)
TAKEN = (("pen", FEED), ("cap", SEARCH), ("mug", SEARCH), ("cap", SEARCH))


@pytest.fixture
def scores(dataset):
    """The scores of a history for some words in search."""

    def scored(taken, words, **settings):
        found, wanted = (
            np.array([dataset.items.find(word) for word in part])
            for part in ([word for word, _ in taken], sorted(words, key=dataset.items.find))
        )
        domains = np.array([domain for _, domain in taken], dtype=np.int64)
        histories = Histories(found.astype(np.int64), domains, np.array([0, len(taken)]))
        queries = Queries(np.array([-1]), np.array([SEARCH]), histories, {})
        model = PersonalPopularity(dataset, PersonalPopularitySettings(**settings))
        values = model.against(SEARCH, wanted)(queries)[0].tolist()
        return dict(zip(sorted(words, key=dataset.items.find), values, strict=True))

    return scored


def test_newer_times_count_more(scores):
    found = scores(TAKEN, ["pen", "cap", "mug", "ink"])
    assert found["cap"] == pytest.approx(1 + 3**-0.3, abs=1e-5)
    assert found["mug"] == pytest.approx(2**-0.3, abs=1e-5)
    assert found["pen"] == pytest.approx(4**-0.3, abs=1e-5)


def test_without_recency_times_are_counted(scores):
    found = scores(TAKEN, ["pen", "cap", "mug"], recency=0)
    assert {word: round(score, 4) for word, score in found.items()} == {"pen": 1.0, "cap": 2.0, "mug": 1.0}


def test_a_domain_counts_its_own_alone(scores):
    found = scores(TAKEN, ["pen", "mug"], scope="domain")
    assert found["pen"] < 0.01
    assert found["mug"] == pytest.approx(2**-0.3, abs=1e-5)


def test_other_items_are_ranked_by_popularity(scores, dataset):
    words = ["pen", "ink", "cap", "jar"]
    found = scores([], words)
    items = np.array(sorted(dataset.items.find(word) for word in words))
    counts = dict(zip(items, dataset.corpora.counts_of(SEARCH, items), strict=True))
    by_popularity = [counts[dataset.items.find(word)] for word in sorted(words, key=found.__getitem__)]
    assert by_popularity == sorted(by_popularity)
    assert len(set(by_popularity)) > 1
