"""What a domain looks at: mean weights by hand, and what zeroing a feature does and does not do."""

import numpy as np
import pytest
import torch

from adi.batch import tensors
from adi.models.catalog import MODELS
from adi.models.interest import interests, weighted_features, zeroed
from adi.models.popularity import Popularity
from adi.models.scorer import ScorerByDomain
from adi.models.vectors import VectorScorer
from adi.training.settings import settings_for


def scorer_of(dataset, name, seed=0, **settings):
    torch.manual_seed(seed)
    model = MODELS[name].build(dataset, settings_for(MODELS[name], {"embedding_dim": 4, "dim": 3, **settings}).model)
    with torch.no_grad():
        for parameter in model.parameters():  # the layer starts alike in all domains
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return VectorScorer(model.eval(), dataset)


def everywhere(scorer):
    """One scorer for all three domains."""
    return ScorerByDomain([scorer] * 3)


@pytest.mark.parametrize("name", ["adi-se", "adi-va"])
def test_weights_are_means_over_the_items_of_each_corpus_and_over_test_queries(dataset, name) -> None:
    scorer = scorer_of(dataset, name)
    found = interests(everywhere(scorer), dataset)
    assert list(found) == ["user", "item"]
    assert found["item"].features == ("item_id", "price", "tags", "bid", "domain")
    assert found["user"].weights.shape == (3, len(found["user"].features))
    tower = scorer.model.item_tower
    for domain in range(3):
        items = dataset.corpora.retrievable(domain)
        bags = tensors(scorer.reader.item_bags(items, np.full(len(items), domain)))
        with torch.no_grad():
            x, _ = tower.embed(bags)  # (m, F, E)
            layer, offsets = tower.backbone.adaptation, [0] * (domain + 1) + [len(items)] * (3 - domain)
            expected = layer.weights(x, offsets).mean(0)
        assert found["item"].weights[domain] == pytest.approx(expected.numpy(), abs=1e-6)
    assert np.abs(np.diff(found["item"].weights, axis=0)).max() > 0.01  # the domains differ


def test_at_most_so_many_queries_of_a_domain_are_looked_at(dataset) -> None:
    scorer = scorer_of(dataset, "adi-se")
    rows = dataset.rows("test")
    first = rows[dataset.targets("test", rows)[2] == 0][:1]
    alone = interests(everywhere(scorer), dataset, rows_per_domain=1)["user"].weights[0]
    seen = []
    layer = scorer.model.user_tower.backbone.adaptation
    handle = layer.register_forward_hook(lambda _, inputs, __: seen.append(layer.weights(*inputs)))
    scorer.user_vectors(0, dataset.queries("test", first))
    handle.remove()
    assert seen[0].shape[0] == 1
    assert alone == pytest.approx(seen[0][0].numpy(), abs=1e-6)


def test_each_domain_has_the_weights_of_its_own_scorer(dataset) -> None:
    one, other = (scorer_of(dataset, "adi-va", seed) for seed in (1, 2))
    mixed = interests(ScorerByDomain([one, other, one]), dataset)["item"].weights
    alone = [interests(everywhere(scorer), dataset)["item"].weights for scorer in (one, other)]
    assert np.array_equal(mixed, np.stack([alone[0][0], alone[1][1], alone[0][2]]))


@pytest.mark.parametrize(("name", "settings"), [("dnn", {}), ("adi-lt", {}), ("adi-se", {"adaptation": "none"})])
def test_a_model_that_does_not_weigh_its_features_has_no_interest(dataset, name, settings) -> None:
    assert interests(everywhere(scorer_of(dataset, name, **settings)), dataset) == {}
    assert interests(everywhere(Popularity(dataset)), dataset) == {}


def test_a_zeroed_feature_is_one_whose_embedding_is_zero(dataset) -> None:
    """Of attention, which gives 0 for 0 and looks at each feature alone."""
    scorer = scorer_of(dataset, "adi-va")
    items = dataset.corpora.retrievable(0)
    whole = scorer.item_vectors(0, items)
    with zeroed(everywhere(scorer), "item", 1):
        without = scorer.item_vectors(0, items)
    assert torch.equal(scorer.item_vectors(0, items), whole)  # it ends with the block
    tables = scorer.model.tables
    rows = slice(tables.first["price"], tables.first["price"] + 4)  # missing, unseen, two buckets
    kept = tables.weight[rows].clone()
    with torch.no_grad():
        tables.weight[rows] = 0
    torch.testing.assert_close(scorer.item_vectors(0, items), without)
    assert not torch.allclose(without, whole, atol=1e-3)
    with torch.no_grad():
        tables.weight[rows] = kept


def test_zeroing_one_side_leaves_the_other(dataset) -> None:
    scorer = scorer_of(dataset, "adi-se")
    items = dataset.corpora.retrievable(1)
    whole = scorer.item_vectors(1, items)
    with zeroed(everywhere(scorer), "user", 0):
        assert torch.equal(scorer.item_vectors(1, items), whole)


def test_each_domain_has_its_scorers_layer(dataset) -> None:
    scorer = scorer_of(dataset, "adi-se")
    layer = scorer.model.item_tower.backbone.adaptation
    assert [weighted.layers for _, weighted in weighted_features(everywhere(scorer), "item")] == [[layer]] * 3
    assert weighted_features(ScorerByDomain([scorer, Popularity(dataset), scorer]), "item") == []
