"""What every model that is counted promises, for each name of the catalog and each scope."""

import numpy as np
import pytest
import torch

from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.data.queries import Queries
from adi.models.catalog import MODELS
from adi.models.model import FittedModel
from adi.training.fitted import open_run
from adi.training.settings import settings_for
from adi.training.train import train

SEARCH, FEED, KIOSK = range(3)
COUNTED = [name for name, model in MODELS.items() if isinstance(model, FittedModel)]
VARIANTS = {
    f"{name} {scope}": (name, {"scope": scope} | options)
    for name, options in {
        "personal-popularity": {"recency": 0.0},  # with recency, the order counts
        "sequential-rules": {"shrink": 1.0, "age_factor": 1.0},
        "item-knn": {"shrink": 1.0},
        "user-knn": {"shrink": 1.0, "neighbours": 3},
        "ease": {"l2": 2.0},
    }.items()
    for scope in ("all", "domain")
} | {"popularity": ("popularity", {})}
every_variant = pytest.mark.parametrize(("name", "options"), VARIANTS.values(), ids=VARIANTS)


def fitted(dataset, name, options):
    return MODELS[name].fit(dataset, settings_for(MODELS[name], options).model)


def asked(dataset, domain, *histories, user=-1):
    """Requests of a user in a domain, with histories of words taken there."""
    items = np.array([dataset.items.find(word) for history in histories for word in history], dtype=np.int32)
    offsets = np.array([0, *map(len, histories)]).cumsum()
    taken = Histories(items, np.full(len(items), domain, np.int16), offsets)
    return Queries(np.full(len(histories), user), np.full(len(histories), domain), taken, {})


def test_every_counted_model_is_tested_here():
    with_trends = {"co-clicks"}  # needs a log with time: tests/models/test_trends.py
    assert {name for name, _ in VARIANTS.values()} == set(COUNTED) - with_trends


@every_variant
def test_scores_of_test_rows(dataset, name, options):
    rows = dataset.rows("test")
    domains = dataset.targets("test", rows)[2]
    model = fitted(dataset, name, options)
    for domain in (SEARCH, FEED, KIOSK):
        items, own = dataset.corpora.retrievable(domain), rows[domains == domain]
        queries = dataset.queries("test", own)
        scores = model.against(domain, items)(queries)
        assert scores.shape == (len(own), len(items))
        assert scores.isfinite().all()
        if len(items) > 1 and name != "popularity":
            assert not torch.equal(scores, scores[:1].expand_as(scores))


@every_variant
def test_without_a_history_items_stand_in_the_order_of_their_popularity(dataset, name, options):
    items = dataset.corpora.retrievable(SEARCH)
    counts = torch.from_numpy(dataset.corpora.counts_of(SEARCH, items))
    scores = fitted(dataset, name, options).against(SEARCH, items)(asked(dataset, SEARCH, [], []))
    assert torch.equal(scores[0], scores[1])
    assert counts.unique().numel() >= 3
    for one in range(len(items)):
        assert torch.equal((scores[0, one] > scores[0]), counts[one] > counts)


@every_variant
def test_a_query_does_not_depend_on_those_beside_it_and_is_left_as_it_is(dataset, name, options):
    histories = (["pen", "cap"], [], ["mug", "ink", "pen", "mug"], ["jar"])
    queries = asked(dataset, SEARCH, *histories)
    before = queries.histories.items.copy()
    score = fitted(dataset, name, options).against(SEARCH, dataset.corpora.retrievable(SEARCH))
    whole = score(queries)
    assert queries.histories.items.tolist() == before.tolist()  # in the order of the history, which sorting would lose
    assert torch.equal(score(queries), whole)
    for place, history in enumerate(histories):
        torch.testing.assert_close(score(asked(dataset, SEARCH, history))[0], whole[place])
    torch.testing.assert_close(score(asked(dataset, SEARCH, histories[2][::-1]))[0], whole[2])


@every_variant
def test_an_item_scores_the_same_whatever_else_is_ranked(dataset, name, options):
    """But for the popularity among those ranked, which breaks ties."""
    model, queries = fitted(dataset, name, options), asked(dataset, FEED, ["pen"], ["mug", "bag"])
    items = np.array([dataset.items.find(word) for word in ("bag", "map", "cap", "pen", "jar", "mug")])
    order = [4, 0, 3]
    some, all_of_them = (model.against(FEED, chosen)(queries).double() for chosen in (items[order], items))
    torch.testing.assert_close(some, all_of_them[:, order], atol=2e-6, rtol=0)


@every_variant
def test_a_saved_run_scores_as_what_was_fitted(prepared, dataset, tmp_path, name, options):
    train(prepared, name, tmp_path / "run", settings=options)
    info, opened, model = open_run(tmp_path / "run")
    assert (info.status, info.refit) == ("complete", True)
    items, queries = dataset.corpora.retrievable(FEED), asked(dataset, FEED, ["pen"], ["mug", "bag"])
    expected = fitted(Dataset(prepared, all_rows=True), name, options).against(FEED, items)(queries)
    assert torch.equal(model.against(FEED, opened.corpora.retrievable(FEED))(queries), expected)
