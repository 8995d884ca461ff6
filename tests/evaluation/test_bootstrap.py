"""Resampling of users and seeds: cases small enough to list every draw, and intervals of differences that are known."""

from collections import Counter
from math import sqrt

import numpy as np
import pytest

from adi.evaluation import bootstrap
from adi.evaluation.bootstrap import means, replicate_means
from adi.evaluation.totals import Totals
from adi.metrics import RECALL


def totals(users, *columns):
    """The totals of a domain: numbers of queries, then the gains of each run."""
    return Totals(np.array(users), np.array(columns, dtype=np.float64).T)


def shares(values):
    """How often each value comes, values rounded."""
    counts = Counter(tuple(np.round(one, 4)) for one in values)
    return {value: count / len(values) for value, count in counts.items()}


def test_means_by_hand():
    search = totals([0, 2], [1, 3], [1, 1], [0, 3], [1, 2])
    feed = totals([1], [2], [1], [2], [0])
    # two runs of the first model, one of the second
    assert means([search, feed], [2, 1]).tolist() == [[(2 / 4 + 3 / 4) / 2, (1 / 2 + 2 / 2) / 2], [3 / 4, 0]]
    assert np.isnan(means([search, totals([], [], [], [], [])], [2, 1])[:, 1]).all()


def test_users_are_drawn_with_all_their_queries_and_the_same_for_all_models():
    # One user with one query, one with three: the draws are twice the first, one of each (in two orders), twice the
    # second.
    drawn = replicate_means([totals([0, 1], [1, 3], [1, 1], [0, 2])], 2, [1, 1], replicates=4000, seed=0)
    assert drawn.shape == (4000, 2, 1)
    expected = {(1, 0): 0.25, (0.5, 0.5): 0.5, (round(1 / 3, 4), round(2 / 3, 4)): 0.25}
    assert shares(drawn[:, :, 0]) == pytest.approx(expected, abs=0.03)


def test_a_user_is_drawn_in_every_domain_at_once():
    # User 1 is in both domains, user 0 in the second only.
    domains = [totals([1], [1], [1]), totals([0, 1], [1, 1], [0, 1])]
    drawn = replicate_means(domains, 2, [1], replicates=4000, seed=0)[:, 0]
    without = np.isnan(drawn[:, 0])
    assert without.mean() == pytest.approx(0.25, abs=0.03)
    assert set(drawn[without, 1]) == {0}
    assert set(drawn[~without, 1]) == {0.5, 1}


def test_seeds_vary_as_new_ones_would_and_each_model_by_itself():
    # One user, so nothing but seeds varies. The means of two seeds drawn of .2 and .6 are .2, .4, .4 and .6, moved away
    # from .4 by sqrt(2): their variance is that of the two, .08, over 2.
    drawn = replicate_means([totals([0], [1], [0.2], [0.6], [0.1], [0.1], [0.4])], 1, [2, 3], replicates=8000, seed=0)
    first, second = drawn[:, 0, 0], drawn[:, 1, 0]
    far = 0.2 * sqrt(2)
    assert shares(first[:, None]) == pytest.approx(
        {(round(0.4 - far, 4),): 0.25, (0.4,): 0.5, (round(0.4 + far, 4),): 0.25}, abs=0.03
    )
    assert first.var() == pytest.approx(np.var([0.2, 0.6], ddof=1) / 2, rel=0.05)
    assert second.mean() == pytest.approx(0.2, abs=0.005)
    assert second.var() == pytest.approx(np.var([0.1, 0.1, 0.4], ddof=1) / 3, rel=0.05)


def test_seeds_of_two_models_are_no_pairs():
    drawn = replicate_means([totals([0], [1], [0], [1], [0], [1])], 1, [2, 2], replicates=8000, seed=0)
    assert len(shares(drawn[:, :, 0])) == 9
    assert np.corrcoef(*drawn[:, :, 0].T)[0, 1] == pytest.approx(0, abs=0.04)


def test_one_seed_adds_nothing():
    drawn = replicate_means([totals([0, 1], [1, 1], [0.3, 0.3])], 2, [1], replicates=100, seed=0)
    assert drawn == pytest.approx(0.3)


def test_the_size_of_a_block_changes_nothing(monkeypatch):
    random = np.random.default_rng(1)
    domain = totals(np.arange(1, 8), random.integers(1, 4, 7), *random.random((3, 7)))
    whole = replicate_means([domain], 9, [2, 1], replicates=101, seed=5)
    monkeypatch.setattr(bootstrap, "WEIGHTS_AT_ONCE", 20)
    np.testing.assert_array_equal(replicate_means([domain], 9, [2, 1], replicates=101, seed=5), whole)
    assert (replicate_means([domain], 9, [2, 1], replicates=101, seed=6) != whole).any()


def covered(*, seeds, of_seeds, simulations=300, users=150):
    """How often the 95 % interval holds the true difference in recall, .1, of models whose seeds spread by `of_seeds`.

    A user has one to three queries, all as hard (a cluster). A query hits where a luck that most runs share is below
    the chance of its user (pairs); one in five runs has a luck of its own.
    """
    random, inside = np.random.default_rng(7), 0
    for number in range(simulations):
        queries = random.integers(1, 4, users)
        user = np.repeat(np.arange(users), queries)
        chance = random.choice([0.3, 0.5, 0.7], users)[user]
        shared, columns = random.random(len(user)), [queries]
        for truth in (0.1, 0.0):
            for _ in range(seeds):
                luck = np.where(random.random(len(user)) < 0.8, shared, random.random(len(user)))
                ranks = np.where(luck < chance + truth + random.normal(0, of_seeds), 0.0, np.inf)
                columns.append(np.bincount(user, RECALL.gains(ranks, 10), minlength=users))
        drawn = replicate_means(
            [totals(np.arange(users), *columns)], users, [seeds, seeds], replicates=200, seed=number
        )[:, :, 0]
        low, high = np.quantile(drawn[:, 0] - drawn[:, 1], (0.025, 0.975))
        inside += low <= 0.1 <= high
    return inside / simulations


@pytest.mark.parametrize(("seeds", "of_seeds"), [(1, 0.0), (2, 0.03), (5, 0.1)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(seeds, of_seeds):
    assert 0.9 <= covered(seeds=seeds, of_seeds=of_seeds) <= 0.99


def test_one_seed_covers_users_only():
    assert covered(seeds=1, of_seeds=0.1) < 0.7
