"""The validation rows on which the weights of a blend are tried: the NDCG that evaluation has, of few kept items."""

import numpy as np
import pytest
import torch

from adi.data.blend import BlendWeights
from adi.data.dataset import Dataset
from adi.evaluation.evaluate import evaluate
from adi.models.blend import counted_blend
from adi.models.scorer import ScorerByDomain
from adi.training import blend_rows as module
from adi.training.blend_rows import BlendRows, blend_rows

WEIGHTS = [
    BlendWeights(0.0, 0.0),
    BlendWeights(0.5, 0.0, 0.0, 0.0, 0.3, 0.3),
    BlendWeights(4.0, 4.0, 0.2, 0.0, 0.0, 9.0),
    BlendWeights(0.0, 1000.0, 1000.0, 1000.0, 1.0, 0.0),
]
ALL = BlendWeights(*[1.0] * len(BlendWeights._fields))
K = 3


@pytest.fixture(params=[False, True], ids=["unseen", "repeats"])
def shop(workspace, request):
    """Users who come back to two items of two hundred, and now and then take others."""
    random = np.random.default_rng(5)
    rows = []
    for user in range(90):
        usual = random.choice(200, 2, replace=False)
        taken = [random.choice(usual) if random.random() < 0.4 else random.integers(200) for _ in range(9)]
        rows += [
            {"user": f"u{user}", "item": f"i{item}", "domain": "xy"[time % 2], "time": 10 * user + time}
            for time, item in enumerate(taken)
        ]
    workspace.write("log.jsonl", rows)
    workspace.schema["split"] = {"kind": "last", "validation": 0.5}
    workspace.schema["repeats"] = request.param
    workspace.prepare()
    return Dataset(workspace.out)


class Tastes:
    """A scorer with a score for each user and item, of which some are equal."""

    def __init__(self, dataset):
        generator = torch.Generator().manual_seed(0)
        sizes = len(dataset.users), len(dataset.items)
        self.scores = torch.randint(0, 20, sizes, generator=generator).float() / 4

    def against(self, domain, items):
        return lambda queries: self.scores[queries.users][:, items]


def values_of(dataset):
    return counted_blend(dataset, "cosine", {0: ALL, 1: ALL})


def rows_of(dataset, domain):
    return blend_rows(ScorerByDomain([Tastes(dataset)] * 2), dataset, domain, values_of(dataset), K)


@pytest.mark.parametrize("weights", WEIGHTS, ids=["model", "little", "much", "all"])
def test_the_ndcg_is_that_of_evaluation_which_ranks_all_items(shop, weights):
    blend = values_of(shop)
    blend.weights = {0: weights, 1: weights}
    scorer = ScorerByDomain([Tastes(shop)] * 2, lambda: blend)
    measured = evaluate(scorer, shop, part="validation", ks=(K,)).domains
    for domain, name in enumerate(shop.domains):
        rows = rows_of(shop, domain)
        gains = rows.ndcg([weights], K)[0] * len(rows.users)  # of rows that no list can have, it is 0
        assert 0 < len(rows.users) <= measured[name]["queries"]
        assert gains == pytest.approx(measured[name][f"ndcg@{K}"] * measured[name]["queries"], rel=1e-5)


def test_few_items_of_a_row_are_kept(shop):
    rows = rows_of(shop, 0)
    assert len(rows.row_of) < 0.8 * len(rows.users) * len(shop.corpora.retrievable(0))


def test_rows_are_scored_a_block_at_a_time(shop, monkeypatch):
    whole = rows_of(shop, 0)
    monkeypatch.setattr(module, "SCORES", 100)
    parts = rows_of(shop, 0)
    assert sorted(parts.users) == sorted(whole.users)
    np.testing.assert_allclose(parts.ndcg(WEIGHTS, K), whole.ndcg(WEIGHTS, K))


def test_rows_are_bounded_and_still_spread_over_all(shop, monkeypatch):
    whole = rows_of(shop, 0)
    monkeypatch.setattr(module, "ROWS", 16)
    assert len(rows_of(shop, 0).users) == 16
    monkeypatch.setattr(module, "KEPT", 1)
    first = rows_of(shop, 0)
    assert len(first.users) == 2  # a block, and no more
    assert whole.users[0] in first.users
    assert np.searchsorted(whole.users, first.users).max() > len(whole.users) / 3


def test_the_rows_of_two_halves_are_those_of_the_whole(shop):
    rows = rows_of(shop, 0)
    even = rows.users % 2 == 0
    halves = [rows.where(even), rows.where(~even)]
    sums = sum(half.ndcg(WEIGHTS, K) * len(half.users) for half in halves)
    np.testing.assert_allclose(sums, rows.ndcg(WEIGHTS, K) * len(rows.users))
    assert rows.where(np.zeros(len(even), dtype=bool)).ndcg(WEIGHTS, K).tolist() == [0.0] * len(WEIGHTS)


def test_items_of_equal_score_share_a_rank():
    rows = BlendRows(
        users=np.arange(2),
        row_of=np.array([0, 0, 0, 1, 1, 1]),
        model=np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0], dtype=np.float32),
        values=np.zeros((6, 6), dtype=np.float32),
        targets=np.array([0, 5]),
    )
    half_before, one_before = 1 / np.log2(2.5), 1 / np.log2(3.0)
    np.testing.assert_allclose(rows.ndcg(WEIGHTS[:2], 2), [(half_before + one_before) / 2] * 2)
    np.testing.assert_allclose(rows.ndcg(WEIGHTS[:2], 1), [half_before / 2] * 2)
