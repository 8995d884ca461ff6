"""MIND: interests of a user by hand, what training and scoring make of them, and a run from training to retrieval."""

import numpy as np
import pytest
import torch
from torch import nn

from adi.batch import tensors
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.errors import AdiError
from adi.evaluation.evaluate import evaluate
from adi.features.reader import FeatureReader, context_codes
from adi.models.catalog import MODELS
from adi.models.encoders import ENCODERS
from adi.models.mind import Mind, MindSettings
from adi.models.vectors import VectorScorer
from adi.retrieval.retriever import Retriever
from adi.training.settings import settings_for
from adi.training.train import train

SMALL = {"embedding_dim": 4, "dim": 5, "networks": (6,), "embedding_std": 1.0, "dropout": 0.0, "embedding_dropout": 0.0}


def mind(dataset, **options) -> Mind:
    torch.manual_seed(0)
    return MODELS["mind"].build(dataset, settings_for(MODELS["mind"], SMALL | options).model).eval()


CONTEXT = {name: np.zeros(3, np.int64) for name in ("device", "hour")}
USERS = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 3.0, -1.0]], [[2.0, 2.0, 0.0], [1.0, -1.0, 4.0]]])  # (2, interests, dim)
ITEMS = torch.tensor([[1.0, 1.0, 1.0], [0.0, -1.0, 0.5], [1.0, 1.0, 2.0], [0.0, 0.0, 0.0]])


def test_a_score_is_that_of_the_best_interest(dataset):
    expected = [[3.0, 1.0, 5.0, 0.0], [4.0, 3.0, 8.0, 0.0]]  # of interests 3 2, 1 -3.5, 5 1 and 4 4, -2 3, 4 8
    torch.testing.assert_close(mind(dataset).scores(USERS, ITEMS), torch.tensor(expected))


@pytest.mark.parametrize(("sharpness", "temperature"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5)])
def test_in_training_the_positive_weighs_the_interests(dataset, sharpness, temperature):
    found = mind(dataset, sharpness=sharpness, temperature=temperature).queries(USERS, ITEMS[[0, 1]])
    likes = torch.tensor([[3.0, 2.0], [-2.0, 3.0]]) * sharpness / temperature
    weights = likes.exp() / likes.exp().sum(1, keepdim=True)
    torch.testing.assert_close(found, weights[:, :1] * USERS[:, 0] + weights[:, 1:] * USERS[:, 1])


def test_with_no_sharpness_the_interests_count_alike_and_with_much_the_best_alone(dataset):
    torch.testing.assert_close(mind(dataset, sharpness=0.0).queries(USERS, ITEMS[:2]), USERS.mean(1))
    best = mind(dataset, sharpness=1e4).queries(USERS, ITEMS[[0, 1]])
    torch.testing.assert_close(best, torch.stack([USERS[0, 0], USERS[1, 1]]))


def test_the_backbone_is_told_the_domain_of_each_interest(dataset):
    model = mind(dataset, interests=3)
    seen = []
    model.user_tower.backbone.register_forward_hook(lambda _, inputs, __: seen.append(inputs))
    bags = tensors(FeatureReader(dataset).user_bags(dataset.latest(np.array([0, 1, -1]), np.array([0, 2, 2]), CONTEXT)))
    model.encode_users(bags, (0, 1, 1, 3))
    ((x, f_domain, offsets),) = seen
    assert offsets == (0, 3, 3, 9)
    assert x.shape == (9, 8, 4)
    rows = model.tables.weight[model.tables.first["domain"] :][[0, 0, 0, 2, 2, 2, 2, 2, 2]]
    torch.testing.assert_close(f_domain, rows)


@pytest.mark.parametrize("behaviours", ["attention", "transformer"])
def test_an_interest_is_a_reading_of_the_behaviours_all_else_equal(dataset, behaviours):
    model = mind(dataset, interests=3, behaviours=behaviours, popularity_prior=False)
    rows = dataset.rows("test")[:5]
    bags = tensors(FeatureReader(dataset).user_bags(dataset.queries("test", rows)))
    offsets = (0, 4, 4, 5)
    found = model.encode_users(bags, offsets)
    assert found.shape == (5, 3, 5)
    tower = model.user_tower
    history, here, *others = tower.columns(bags)
    assert history.shape == here.shape == (5, 3, 4)
    for interest in range(3):
        x = torch.cat([history[:, interest : interest + 1], here[:, interest : interest + 1], *others], dim=1)
        torch.testing.assert_close(found[:, interest], tower.backbone(x, x[:, -1], offsets))
    assert not torch.allclose(found[:, 0], found[:, 1])
    assert not torch.allclose(found[:, 1], found[:, 2])


def test_one_interest_is_a_dnn(dataset):
    model = mind(dataset, interests=1)
    dnn = MODELS["dnn"].build(dataset, settings_for(MODELS["dnn"], SMALL | {"behaviours": "attention"}).model).eval()
    dnn.load_state_dict(model.state_dict())
    queries = dataset.queries("test", dataset.rows("test")[:5])
    items = dataset.corpora.retrievable(0)
    scores = [VectorScorer(each, dataset).against(0, items)(queries) for each in (model, dnn)]
    torch.testing.assert_close(*scores)
    users, vectors = VectorScorer(dnn, dataset).user_vectors(0, queries), torch.randn(5, 6)
    torch.testing.assert_close(model.queries(users[:, None], vectors), users)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_the_popularity_prior_adds_to_every_score(dataset, similarity):
    model = mind(dataset, similarity=similarity, interests=3)
    scorer = VectorScorer(model, dataset)
    items, queries = dataset.corpora.retrievable(1), dataset.queries("test", dataset.rows("test")[12:15])
    with torch.no_grad():
        model.prior.fill_(0.7)
        found = scorer.against(1, items)(queries)
        model.prior.fill_(0.0)
        without = scorer.against(1, items)(queries)
    popularity = torch.from_numpy(dataset.corpora.log_popularity(1, items))
    torch.testing.assert_close(found, without + 0.7 * popularity)
    if similarity == "cosine":
        assert without.abs().max() <= 1 + 1e-6


def test_a_run_is_evaluated_and_retrieved_from(prepared, tmp_path):
    train(
        prepared,
        "mind",
        tmp_path / "run",
        settings=SMALL | {"epochs": 1, "batch_size": 8, "interests": 2, "blend": False},
    )
    retriever = Retriever(tmp_path / "run")
    data, feed = retriever.dataset, 1
    items, jar = data.corpora.retrievable(feed), data.items.find("jar")  # of another domain, so that none is left out
    history = Histories(np.array([jar]), np.array([feed]), np.array([0, 1]))
    queries = Queries(np.array([-1]), np.array([feed]), history, context_codes(data, {}))
    scorer = retriever.engine.scorer.scorers[feed]
    users = scorer.user_vectors(feed, queries)[0]
    scores = (scorer.item_vectors(feed, items) @ users.T).amax(1)  # (m, interests) -> (m,)
    expected = [data.items.key(items[place]) for place in scores.argsort(descending=True)]
    found = retriever.retrieve("feed", history=["jar"], k=9).items
    assert [each.item for each in found] == expected
    assert [each.score for each in found] == pytest.approx(scores.sort(descending=True).values.tolist())
    assert len(retriever.retrieve("search", history=[], k=3).items) == 3

    result = evaluate(retriever.engine.scorer, data, ks=(1, 8))
    assert result.domains["search"]["recall@8"] == pytest.approx(9 / 11)  # two ask for an item that they had
    assert result.domains["search"]["recall@1"] < 9 / 11


def test_data_without_behaviours_is_refused(dataset):
    manifest = dataset.manifest
    features = [f for f in manifest.side("user", "context") if f.kind != "behaviours"]
    with pytest.raises(AdiError, match="mind extracts interests from behaviours of more than one item, and the schema"):
        Mind(
            user_features=features,
            item_features=manifest.side("item"),
            num_domains=3,
            backbone=lambda *_: nn.Identity(),
            encoders=ENCODERS,
            settings=MindSettings(embedding_dim=4),
        )


def test_the_mean_of_a_history_has_no_interests():
    with pytest.raises(AdiError, match=r"model\.behaviours: should be 'attention' or 'transformer'"):
        settings_for(MODELS["mind"], {"behaviours": "recency"})
