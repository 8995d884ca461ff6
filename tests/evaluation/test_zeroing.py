"""What hangs on a feature: recall with it and without it, each evaluated on its own."""

import numpy as np
import pytest
import torch

from adi.evaluation.evaluate import evaluate
from adi.evaluation.zeroing import falls_when_zeroed
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
    found, calls = interests(scorer, dataset), []
    falls = falls_when_zeroed(scorer, dataset, found, k=2, advance=lambda: calls.append(1))
    assert {side: array.shape for side, array in falls.items()} == {
        side: (3, len(own.features)) for side, own in found.items()
    }
    assert len(calls) == sum(len(own.features) for own in found.values())

    def recalls():
        by_domain = evaluate(scorer, dataset, ks=(2,)).domains
        return [by_domain[name]["recall@2"] for name in dataset.domains]

    whole = recalls()
    for feature in (0, 3):
        with zeroed(scorer, "item", feature):
            without = recalls()
        assert falls["item"][:, feature] == pytest.approx(np.subtract(whole, without))
    assert np.abs(falls["item"]).max() > 0
    assert recalls() == whole  # and leaves the model as it was


def test_a_constant_that_every_item_shares_moves_no_ranking(dataset, scorer) -> None:
    """Without networks the domain's embedding adds the same to the vector of every item of a domain."""
    found = interests(scorer, dataset)
    with torch.no_grad():
        for parameter in scorer.scorers[0].model.item_tower.backbone.output.parameters():
            parameter.zero_()
    falls = falls_when_zeroed(scorer, dataset, found, k=2)
    assert found["item"].features[-1] == "domain"
    assert falls["item"][:, -1].tolist() == [0, 0, 0]
    assert np.abs(falls["item"][:, :-1]).max() > 0
