"""Towers on the hand-written log: what goes into a vector, and that an inner product is the score."""

import numpy as np
import pytest
import torch
from torch import nn

from adi.batch import tensors
from adi.features.reader import FeatureReader
from adi.models.catalog import MODELS
from adi.models.encoders import ENCODERS
from adi.models.settings import TowerSettings
from adi.models.two_tower import SharedTowers
from adi.models.vectors import VectorScorer
from adi.training.settings import settings_for

SMALL = {"embedding_dim": 4, "dim": 4, "networks": (6,), "embedding_std": 1.0, "dropout": 0.0, "embedding_dropout": 0.0}
SMALL |= {"behaviours_power": 0.5}
SEARCH, FEED, KIOSK = range(3)


def two_tower(dataset, name="adi-se", **options):
    torch.manual_seed(0)
    return MODELS[name].build(dataset, settings_for(MODELS[name], SMALL | options).model).eval()


def test_towers_share_the_tables(dataset):
    model = two_tower(dataset)
    assert list(model.tables.first) == [
        *("age", "langs", "level", "device", "hour", "item_id", "price", "tags", "bid", "domain"),
    ]
    assert model.user_tower.names == ["items", "items_here", "age", "langs", "level", "device", "hour", "domain"]
    assert model.user_tower.sources[:2] == ["item_id", "item_id"]
    assert sum("tables" in name for name, _ in model.named_parameters()) == 1
    assert len(model.tables.weight) == sum(feature.rows for feature in dataset.manifest.features) + 3


def test_embedded_features_by_hand(dataset):
    model = two_tower(dataset, behaviours="mean")
    queries = dataset.latest(
        np.array([dataset.users.find("ana"), -1]), np.array([FEED, SEARCH]), {"device": [3, 0], "hour": [2, 0]}
    )
    x, _ = model.user_tower.embed(tensors(FeatureReader(dataset).user_bags(queries)))
    assert x.shape == (2, 8, 4)
    table = {
        name: model.tables.weight[model.tables.first[name] :] for name in ("item_id", "age", "langs", "level", "domain")
    }
    ana = [table["item_id"][[4, 2, 5, 3]].sum(0) / 4**0.5, table["item_id"][[2, 3]].sum(0) / 2**0.5, table["age"][2]]
    ana += [table["langs"][[2, 4]].mean(0), table["level"][3]]
    torch.testing.assert_close(x[0, :5], torch.stack(ana))
    nothing = torch.zeros(4)
    unknown = [nothing, nothing, table["age"][0], nothing, table["level"][0]]
    torch.testing.assert_close(x[1, :5], torch.stack(unknown))
    torch.testing.assert_close(x[:, -1], table["domain"][[FEED, SEARCH]])


def test_recency_weighs_each_behaviours_feature(dataset):
    model = two_tower(dataset, behaviours="recency")
    assert sorted(recency.scores.shape[0] for recency in model.user_tower.recency.values()) == [3, 4]
    assert not model.item_tower.recency
    with torch.no_grad():
        model.user_tower.recency["of_items"].scores.copy_(torch.tensor([8.0, 4.0, 2.0, 1.0]).log())
    queries = dataset.latest(np.array([dataset.users.find("ana")]), np.array([FEED]), {"device": [0], "hour": [0]})
    x, _ = model.user_tower.embed(tensors(FeatureReader(dataset).user_bags(queries)))
    rows = model.tables.weight[model.tables.first["item_id"] :][[4, 2, 5, 3]]  # oldest first
    torch.testing.assert_close(x[0, 0], (rows * torch.tensor([[1.0], [2.0], [4.0], [8.0]])).sum(0) / 15 * 4**0.5)


def test_encoders_get_the_embedded_history_and_the_domain(dataset):
    model = two_tower(dataset, behaviours="attention")
    assert {key: encoder.length for key, encoder in model.user_tower.encoders.items()} == {
        "of_items": 4,
        "of_items_here": 3,
    }
    assert not model.item_tower.encoders
    assert not model.user_tower.recency
    attention = model.user_tower.encoders["of_items"]
    with torch.no_grad():
        attention.age.weight.normal_()
        attention.content.weight.normal_()
    queries = dataset.latest(
        np.array([dataset.users.find("ana"), -1]), np.array([FEED, SEARCH]), {"device": [3, 0], "hour": [2, 0]}
    )
    bags = tensors(FeatureReader(dataset).user_bags(queries))
    x, _ = model.user_tower.embed(bags)
    rows = model.tables.weight[model.tables.first["item_id"] :][[4, 2, 5, 3]]  # oldest first
    f = model.tables.weight[model.tables.first["domain"] + FEED]
    weights = (attention.age.weight.flip(0) @ f + rows @ (attention.content.weight @ f)).softmax(0)
    torch.testing.assert_close(x[0, 0], weights @ rows * 4**0.5)
    assert not x[1, :2].any()
    pooled, _ = two_tower(dataset, behaviours="mean").user_tower.embed(bags)  # the same tables
    torch.testing.assert_close(x[:, 1:], pooled[:, 1:])


@pytest.mark.parametrize("behaviours", ["mean", "attention", "transformer"])
def test_all_rows_of_a_tower_are_one_lookup(dataset, behaviours):
    """Of histories too, so that a step gathers and writes each row of the tables once."""
    model = two_tower(dataset, behaviours=behaviours)
    rows = dataset.rows("test")[:5]
    model.encode_users(
        tensors(FeatureReader(dataset).user_bags(dataset.queries("test", rows))), (0, 5, 5, 5)
    ).sum().backward()
    ((touched, source),) = model.tables.touched
    assert len(set(touched.tolist())) == len(touched)
    items = {int(dataset.feature("item", "item_id")[i]) for i in dataset.queries("test", rows).histories.items}
    first = model.tables.first["item_id"]
    assert {row - first for row in touched.tolist() if first <= row < model.tables.first["price"]} <= items
    assert source.grad.any()


def test_a_tower_may_have_behaviours_alone(dataset):
    feature = next(f for f in dataset.manifest.features if f.name == "items")
    model = SharedTowers(
        user_features=[feature],
        item_features=dataset.manifest.side("item"),
        num_domains=3,
        backbone=lambda *_: Spy(),
        encoders=ENCODERS,
        settings=TowerSettings(embedding_dim=4, behaviours="transformer", domain_indicator=False),
    )
    queries = dataset.queries("test", dataset.rows("test")[:3])
    assert model.user_tower(tensors(FeatureReader(dataset).user_bags(queries)), (0, 3, 3, 3)).shape == (3, 4)


class Spy(nn.Module):
    """A backbone that keeps what it was given."""

    def forward(self, x, f_domain, offsets):
        self.seen = (x, f_domain, offsets)
        return x.sum(1)


@pytest.mark.parametrize("told", [True, False])
def test_a_backbone_is_told_the_domain_or_not(dataset, told):
    model = two_tower(dataset, domain_indicator=told)
    items, domains = np.array([1, 2, 4]), np.array([SEARCH, SEARCH, KIOSK])
    model.item_tower.backbone = Spy()
    model.encode_items(tensors(FeatureReader(dataset).item_bags(items, domains)), (0, 2, 2, 3), torch.zeros(3))
    x, f_domain, offsets = model.item_tower.backbone.seen
    assert offsets == (0, 2, 2, 3)
    assert x.shape == (3, 4 + told, 4)
    rows = model.tables.weight[model.tables.first["domain"] :][domains]
    torch.testing.assert_close(f_domain, rows if told else torch.zeros(3, 4))


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize("name", ["adi-se", "dnn"])
def test_the_inner_product_of_the_vectors_is_the_score(dataset, name, prior, similarity):
    model = two_tower(dataset, name, similarity=similarity, temperature=0.2, popularity_prior=prior)
    if prior:
        assert model.prior.item() == pytest.approx(0.2)  # in training, after the temperature: log popularity itself
        model.prior.data.fill_(0.7)
    scorer = VectorScorer(model, dataset)
    items = dataset.corpora.retrievable(SEARCH)[1:]
    rows = dataset.rows("test")[:5]
    queries = dataset.queries("test", rows)
    assert set(queries.domains) == {SEARCH}
    users, candidates = scorer.user_vectors(SEARCH, queries), scorer.item_vectors(SEARCH, items)
    scores = scorer.against(SEARCH, items)(queries)
    assert users.shape == (5, 4 + prior)
    assert candidates.shape == (len(items), 4 + prior)
    torch.testing.assert_close(scores, users @ candidates.T)

    reader = FeatureReader(dataset)
    with torch.no_grad():
        u = model.user_tower(tensors(reader.user_bags(queries)), (0, 5, 5, 5))
        v = model.item_tower(tensors(reader.item_bags(items, items * 0)), (0, *[len(items)] * 3))
    expected = u @ v.T
    if similarity == "cosine":
        expected = expected / (u.norm(dim=1)[:, None] * v.norm(dim=1))
    if prior:
        counts = dict(zip(dataset.corpora.items[SEARCH].tolist(), dataset.corpora.counts[SEARCH].tolist(), strict=True))
        shares = [(counts[item] + 1) / (23 + 8) for item in items.tolist()]  # 23 training rows, 8 items
        expected = expected + 0.7 * torch.tensor(shares).log()
    torch.testing.assert_close(scores, expected)


def test_item_vectors_do_not_depend_on_the_block(dataset, monkeypatch):
    scorer = VectorScorer(two_tower(dataset), dataset)
    items = dataset.corpora.retrievable(SEARCH)
    whole = scorer.item_vectors(SEARCH, items)
    monkeypatch.setattr("adi.models.vectors.ITEMS_AT_ONCE", 3)
    torch.testing.assert_close(scorer.item_vectors(SEARCH, items), whole)


def test_scoring_is_in_evaluation_mode_and_leaves_no_gradients(dataset):
    model = two_tower(dataset, dropout=0.5, embedding_dropout=0.5).train()
    scorer = VectorScorer(model, dataset)
    items, queries = dataset.corpora.retrievable(FEED), dataset.queries("test", dataset.rows("test")[12:15])
    first, second = (scorer.against(FEED, items)(queries) for _ in range(2))
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert not model.tables.touched


def test_dropout_of_embeddings_spares_what_tells_the_domain(dataset):
    model = two_tower(dataset, embedding_dropout=0.9).train()
    model.item_tower.backbone = Spy()
    items = np.array([1, 2, 4])
    model.encode_items(tensors(FeatureReader(dataset).item_bags(items, items * 0)), (0, 3, 3, 3), torch.zeros(3))
    x, f_domain, _ = model.item_tower.backbone.seen
    assert (x == 0).float().mean() > 0.5
    assert not (f_domain == 0).any()
