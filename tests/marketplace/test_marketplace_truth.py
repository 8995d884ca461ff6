import dataclasses

import numpy as np
import pytest

from adi.marketplace.facets import VALUES, Facets
from adi.marketplace.settings import Marketplace
from adi.marketplace.truth import Truth, draw_truth
from adi.marketplace.users import draw_users

BLIND = {"specific_strength": 0.0, "bid_strength": 0.0, "quality_strength": 0.0}


def test_a_score_by_hand() -> None:
    settings = Marketplace(
        items=20,
        domains=2,
        shared_strength=2.0,
        specific_strength=0.5,
        bid_strength=0.25,
        quality_strength=3.0,
        latent_dim=4,
    )
    # Two groups and one cluster; shared, d1, d2 inner products of group 0 with it: 4, 8, -8; of group 1: 0, 2, 6
    truth = Truth(
        settings=settings,
        group_vectors=np.array([[[4.0], [0.0]], [[8.0], [2.0]], [[-8.0], [6.0]]]) * [1.0, 0.0, 0.0, 0.0],
        cluster_vectors=np.ones((3, 1, 4)),
        item_cluster=np.zeros(20, dtype=np.int64),
        item_popularity=np.full(20, -0.7),
        eligible=np.ones((20, 2), dtype=bool),
        bid=np.tile([1.0, -2.0], (20, 1)),
        quality=np.tile([0.1, 0.2], (20, 1)),
    )
    scores = [truth.scores(np.array([[0, 1]]), np.array([0.8]), domain)[0, 5] for domain in ("d1", "d2")]
    # a = (2 shared + 0.5 specific) / sqrt(4): d1 (8 + 4) / 2 = 6 and (0 + 1) / 2 = 0.5; d2 (8 - 4) / 2 = 2 and 1.5
    assert scores[0] == pytest.approx(np.log(0.8 * np.exp(6.0) + 0.2 * np.exp(0.5)) - 0.7 + 0.25 + 0.3)
    assert scores[1] == pytest.approx(np.log(0.8 * np.exp(2.0) + 0.2 * np.exp(1.5)) - 0.7 - 0.5 + 0.6)


def test_a_facet_has_its_effect_in_one_domain_alone() -> None:
    settings = Marketplace(
        items=20, domains=2, facets=3, facet_strength=2.0, shared_strength=0.0, specific_strength=0.0
    )
    effects = np.zeros((3, VALUES, VALUES))
    effects[0, 5, 1], effects[1, 5, 1], effects[2, 6, 1] = 3.0, 7.0, 1.0
    # One group and two clusters; the first and the third facet are of d1, the second of d2
    facets = Facets(np.array([[5], [5], [6]]), np.array([[1, 0], [1, 0], [1, 0]]), effects)
    truth = dataclasses.replace(
        draw_truth(settings), facets=facets, group_vectors=np.zeros((3, 1, 4)), cluster_vectors=np.zeros((3, 2, 4))
    )
    expected = [[[2 * (3 + 1) / np.sqrt(2), 0]], [[2 * 7, 0]]]
    np.testing.assert_allclose(truth.affinity(), expected)


@pytest.mark.parametrize("strength", ["specific_strength", "bid_strength", "quality_strength"])
def test_domains_agree_exactly_where_nothing_is_specific(strength: str) -> None:
    def scores(**more: float) -> list[np.ndarray]:
        settings = Marketplace(users=60, items=90, interactions=300, domains=4, **(BLIND | more))  # type: ignore[arg-type]
        truth, block = draw_truth(settings), next(draw_users(settings))
        return [truth.scores(block.groups, block.main_share, domain) for domain in settings.domain_names]

    for other in scores()[1:]:
        both = np.isfinite(scores()[0]) & np.isfinite(other)
        assert both.any()
        np.testing.assert_array_equal(scores()[0][both], other[both])
    first, second, *_ = scores(**{strength: 0.5})
    both = np.isfinite(first) & np.isfinite(second)
    assert (np.abs(first[both] - second[both]) > 1e-6).mean() > 0.99
