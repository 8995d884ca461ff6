"""Metrics of ranks: by hand, and what must hold of any ranks."""

from math import inf, isnan, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adi.errors import AdiError
from adi.metrics import METRICS, MRR, NDCG, RECALL, Metric

ranks_of_any_kind = st.lists(st.one_of(st.integers(0, 60).map(lambda twice: twice / 2), st.just(inf)), min_size=1)


@pytest.mark.parametrize(
    ("metric", "at_3", "at_10"),
    [
        (RECALL, 3 / 5, 4 / 5),
        (NDCG, (1 + 1 / log2(3) + 1 / log2(4.5)) / 5, (1 + 1 / log2(3) + 1 / log2(4.5) + 1 / log2(11)) / 5),
        (MRR, (1 + 1 / 2 + 1 / 3.5) / 5, (1 + 1 / 2 + 1 / 3.5 + 1 / 10) / 5),
    ],
)
def test_by_hand(metric, at_3, at_10):
    ranks = np.array([0, 1, 2.5, 9, inf])
    assert metric.mean(ranks, 3) == pytest.approx(at_3)
    assert metric.mean(ranks, 10) == pytest.approx(at_10)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_the_first_k_have_ranks_below_k(metric):
    assert metric.mean(np.array([3.0]), 3) == 0
    assert metric.mean(np.array([2.5]), 3) > 0
    assert metric.mean(np.array([0.0]), 1) == 1
    assert metric.mean(np.array([inf]), 10**9) == 0


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_no_rankings_have_no_metric(metric):
    assert isnan(metric.mean(np.empty(0), 5))


@given(ranks_of_any_kind, st.integers(1, 40))
def test_mrr_is_at_most_ndcg_and_ndcg_at_most_recall(ranks, k):
    ranks = np.array(ranks)
    assert 0 <= MRR.mean(ranks, k) <= NDCG.mean(ranks, k) <= RECALL.mean(ranks, k) <= 1


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@given(
    ranks=ranks_of_any_kind, k=st.integers(1, 40), more=st.integers(0, 40), better=st.integers(0, 5), seed=st.randoms()
)
def test_metrics_grow_with_k_and_with_better_ranks_whatever_the_order(metric, ranks, k, more, better, seed):
    value = metric.mean(np.array(ranks), k)
    assert metric.mean(np.array(ranks), k + more) >= value
    assert metric.mean(np.maximum(np.array(ranks) - better, 0), k) >= value
    seed.shuffle(ranks)
    assert metric.mean(np.array(ranks), k) == pytest.approx(value)


def test_a_metric_of_the_wrong_shape_is_refused():
    metric = Metric("lone", lambda ranks, k: ranks.mean())
    with pytest.raises(AdiError, match=r"metric 'lone': gave an array of shape \(\) for 3 ranks"):
        metric.mean(np.arange(3.0), 10)


def test_a_metric_that_is_not_finite_is_refused():
    metric = Metric("inverse", lambda ranks, k: 1 / np.where(ranks == 2, np.nan, ranks + 1))
    with pytest.raises(AdiError, match="metric 'inverse': is not finite for rank 2"):
        metric.mean(np.arange(3.0), 10)
