"""Feature ablation against recall with and without a feature, each evaluated on its own."""

import numpy as np
import pytest
import torch

from adi.evaluation.ablation import recall_falls
from adi.evaluation.evaluate import evaluate
from adi.models.catalog import MODELS
from adi.models.interest import interests, zeroed
from adi.models.scorer import ScorerByDomain
from adi.models.vectors import VectorScorer
from adi.training.settings import settings_for


@pytest.fixture
def scorer(dataset):
    torch.manual_seed(3)
    settings = settings_for(MODELS["adi-va"], {"embedding_dim": 4, "dim": 3, "popularity_prior": False}).model
    model = MODELS["adi-va"].build(dataset, settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.5)
    return ScorerByDomain([VectorScorer(model.eval(), dataset)] * 3)


def test_a_fall_is_recall_with_the_feature_less_recall_without(dataset, scorer) -> None:
    weights, calls = interests(scorer, dataset), []
    falls = recall_falls(scorer, dataset, weights, k=2, advance=lambda: calls.append(1))
    assert {side: array.shape for side, array in falls.items()} == {
        side: (3, len(interest.features)) for side, interest in weights.items()
    }
    assert len(calls) == sum(len(interest.features) for interest in weights.values())

    def recalls():
        by_domain = evaluate(scorer, dataset, ks=(2,)).domains
        return [by_domain[name]["recall@2"] for name in dataset.domains]

    with_all = recalls()
    for feature in (0, 3):
        with zeroed(scorer, "item", feature):
            without = recalls()
        assert falls["item"][:, feature] == pytest.approx(np.subtract(with_all, without))
    assert np.abs(falls["item"]).max() > 0
    assert recalls() == with_all  # the model is unchanged


def test_a_constant_that_every_item_shares_moves_no_ranking(dataset, scorer) -> None:
    """Without networks, the domain's embedding adds the same constant to the vectors of all items in the domain."""
    weights = interests(scorer, dataset)
    with torch.no_grad():
        for parameter in scorer.scorers[0].model.item_tower.backbone.output.parameters():
            parameter.zero_()
    falls = recall_falls(scorer, dataset, weights, k=2)
    assert weights["item"].features[-1] == "domain"
    assert falls["item"][:, -1].tolist() == [0, 0, 0]
    assert np.abs(falls["item"][:, :-1]).max() > 0
