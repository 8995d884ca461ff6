"""Top k from a run of the hand-written log: every argument, and the same order as the evaluation's."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.evaluation.ranking import rank
from adi.retrieval.retriever import Retriever
from adi.training.train import train

DOMAINS = ("search", "feed", "kiosk")
SMALL = {"embedding_sets": 1, "embedding_dim": 4, "networks": (8,), "dim": 4, "epochs": 1, "batch_size": 8}


@pytest.fixture(scope="module")
def popularity(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    run = tmp_path_factory.mktemp("popularity") / "run"
    train(prepared, "popularity", run)
    return Retriever(run)


@pytest.fixture(scope="module")
def towers(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    """A model whose scores depend on the history and on the context."""
    run = tmp_path_factory.mktemp("towers") / "run"
    train(prepared, "dnn", run, settings=SMALL)
    return Retriever(run)


def ids(top):
    return list(top.ids)


def popular(data, domain, without=()):
    """The items of a domain's corpus with their training counts, the most clicked first."""
    index = data.domains.index(domain)
    rows = data.rows("train")
    _, items, domains = data.targets("train", rows)
    counts = {data.items.key(item): 0 for item in data.corpora.retrievable(index)}
    for item in items[domains == index]:
        counts[data.items.key(item)] += 1
    return sorted(((count, item) for item, count in counts.items() if item not in without), reverse=True)


def test_a_new_user_gets_what_is_popular_without_the_history(popularity):
    counts = popular(popularity.dataset, "search", without=("pen", "mug"))
    answer = popularity.retrieve("search", user="nobody", history=["pen", "mug"], k=4)
    assert answer.domain == "search"
    assert list(answer.scores) == [count for count, _ in counts[:4]]
    assert all((top.score, top.item) in counts for top in answer.items)
    assert answer.ignored == ()
    assert popularity.retrieve("search", history=["pen", "mug"], k=4) == answer


def test_items_of_a_known_users_log_are_left_out(popularity):
    # éric: s:cap s:mug f:pen s:pen f:mug, of which the last of each domain are the test
    answer = popularity.retrieve("search", user="éric", k=100)
    assert set(ids(answer)) == {item for _, item in popular(popularity.dataset, "search")} - {"cap", "mug", "pen"}
    assert ids(popularity.retrieve("feed", user="ana", k=100)) == ["bag"]


def test_a_history_replaces_that_of_a_known_user(popularity):
    assert sorted(ids(popularity.retrieve("feed", user="ana", history=["bag"], k=100))) == ["mug", "pen"]
    assert len(popularity.retrieve("feed", user="ana", history=[], k=100).items) == 3


def test_unknown_items_of_a_history_are_named(popularity):
    answer = popularity.retrieve("feed", history=["x", "pen", "Pen", ""], k=100)
    assert answer.ignored == ("x", "Pen", "")
    assert sorted(ids(answer)) == ["bag", "mug"]
    assert len(popularity.retrieve("feed", history=["x"], k=100).items) == 3


def test_a_list_is_no_longer_than_the_rest_of_the_corpus(popularity):
    assert len(popularity.retrieve("feed", history=[], k=1000).items) == 3
    assert popularity.retrieve("kiosk", history=["map"]).items == ()


def test_items_of_the_history_stay_where_the_data_has_repeats(popularity, monkeypatch):
    data = popularity.dataset
    monkeypatch.setattr(data, "manifest", data.manifest.model_copy(update={"repeats": True}))
    assert ids(popularity.retrieve("kiosk", history=["map"])) == ["map"]


@pytest.mark.parametrize("k", [0, -3])
def test_k_is_at_least_one(popularity, k):
    with pytest.raises(AdiError, match=f"k = {k}: ask for at least one item"):
        popularity.retrieve("feed", history=[], k=k)


def test_an_unknown_domain_is_refused_with_the_nearest(popularity):
    with pytest.raises(AdiError, match=r"domain 'serch' is not one of search, feed, kiosk\. Did you mean 'search'\?"):
        popularity.retrieve("serch", user="ana")


def test_an_unknown_user_needs_a_history(popularity):
    with pytest.raises(AdiError, match=r"user 'Ana' is not known: give the history of a new user"):
        popularity.retrieve("feed", user="Ana")
    with pytest.raises(AdiError, match=r"no user: give the history"):
        popularity.retrieve("feed")


def test_a_history_is_a_list_of_items(popularity):
    with pytest.raises(AdiError, match=r"history: 'pen,ink' is a single string; give a list of item ids"):
        popularity.retrieve("feed", history="pen,ink")


def test_the_context_is_part_of_the_request(towers):
    def scores(**context):
        return towers.retrieve("search", history=["pen"], context=context, k=100).scores

    nothing = scores()
    assert scores(device="phone") != nothing
    assert scores(device="phone") != scores(device="tablet")
    assert scores(hour="3") != nothing
    assert scores(hour="3.0") == scores(hour="3") != scores(hour="20")
    # a value unseen in training differs from a missing one
    assert scores(device="television") not in (nothing, scores(device="phone"))
    assert scores(device="television") == scores(device="radio")


def test_a_wrong_context_is_refused(towers):
    with pytest.raises(AdiError, match=r"context 'hour': 'noon' is not a number"):
        towers.retrieve("search", history=[], context={"hour": "noon"})
    with pytest.raises(
        AdiError, match=r"context 'devise' is not a context feature \(device, hour\)\. Did you mean 'device'"
    ):
        towers.retrieve("search", history=[], context={"devise": "phone"})


def test_the_history_is_part_of_the_request(towers):
    def scores(domain, history):
        top = towers.retrieve(domain, history=history, k=100)
        return dict(zip(top.ids, top.scores, strict=True))

    one, other = scores("search", ["pen", "ink"]), scores("search", ["pen", "bag"])
    assert all(one[item] != other[item] for item in one.keys() & other.keys())
    assert scores("search", ["pen", "x", "ink"]) == one


def test_a_history_is_of_the_requests_domain_and_oldest_first(popularity, monkeypatch):
    recorded = []

    class Recorder:
        def against(self, domain, items):
            return lambda queries: recorded.append(queries) or torch.zeros(1, len(items))

    monkeypatch.setattr(popularity.engine, "scorer", Recorder())
    monkeypatch.setattr(popularity.engine, "_scores", {})
    popularity.retrieve("feed", user="cy", history=["pen", "x", "bag"])
    popularity.retrieve("feed", history=["pen"])
    known, unknown = recorded
    data = popularity.dataset
    assert [data.items.key(item) for item in known.histories.items] == ["pen", "bag"]
    assert known.histories.domains.tolist() == [1, 1]
    assert known.histories.offsets.tolist() == [0, 2]
    assert (data.users.key(known.users[0]), unknown.users.tolist()) == ("cy", [-1])
    assert (known.domains.tolist(), unknown.domains.tolist()) == ([1], [1])


@pytest.mark.parametrize("model", ["popularity", "towers"])
def test_a_request_changes_nothing_for_later_ones(request, model):
    retriever = request.getfixturevalue(model)
    first = {domain: retriever.retrieve(domain, user="cy") for domain in DOMAINS}
    for domain in DOMAINS:
        retriever.retrieve(domain, user="李", history=["pen", "map"])
    assert {domain: retriever.retrieve(domain, user="cy") for domain in DOMAINS} == first


def test_a_domain_is_prepared_once(towers, monkeypatch):
    for domain in DOMAINS:
        towers.retrieve(domain, user="cy")
    monkeypatch.setattr(towers.engine.scorer, "against", None)
    assert len(towers.retrieve("search", user="ana", k=2).items) == 2


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_order_is_that_of_the_evaluation(towers, tables, domain):
    """Every test item has the rank in the list that the evaluation gives it; one that the user had is in neither."""
    data: Dataset = towers.dataset
    log = [json.loads(line) for line in (tables / "clicks.jsonl").read_text(encoding="utf-8").splitlines()]
    contexts = {(row["user"], row["domain"], row["item"]): (row["device"], str(row["hour"])) for row in log}
    index, rows = data.domains.index(domain), data.rows("test")
    rows = rows[data.targets("test", rows)[2] == index]
    ranked = rank(
        towers.engine.scorer, data, "test", index, rows, candidates=None, causal=False, exclude_seen=True, ks=(1,)
    )
    users, items, _ = data.targets("test", rows)
    for row, user, item, expected in zip(rows, users, items, ranked.ranks, strict=True):
        seen = data.queries("test", np.array([row]), causal=False).histories.items
        who, wanted = data.users.key(user), data.items.key(item)
        device, hour = contexts[who, domain, wanted]
        context = {"hour": hour} | ({"device": device} if device else {})
        answer = ids(towers.retrieve(domain, user=who, context=context, k=100))
        assert set(answer).isdisjoint(data.items.key(number) for number in seen)
        assert (wanted in answer) == (item not in seen)
        assert expected == (answer.index(wanted) if wanted in answer else np.inf)
    assert np.isfinite(ranked.ranks).sum() >= 4
    assert (np.isinf(ranked.ranks).sum() > 0) == (domain != "kiosk")


def test_scores_that_are_not_finite_are_refused(popularity, monkeypatch):
    class Diverged:
        def against(self, domain, items):
            return lambda queries: torch.full((len(queries), len(items)), torch.nan)

    monkeypatch.setattr(popularity.engine, "scorer", Diverged())
    monkeypatch.setattr(popularity.engine, "_scores", {})
    with pytest.raises(AdiError, match="the model's scores are not finite"):
        popularity.retrieve("feed", user="ana")


def test_a_filter_allows_items_by_their_attributes_in_the_domain(popularity):
    data = popularity.dataset
    for domain, name in enumerate(data.domains):
        table = data.attributes(domain)
        bids = dict(zip((data.items.key(n) for n in range(len(data.items))), table["bid"].to_pylist(), strict=True))
        everything = ids(popularity.retrieve(name, history=[], k=100))
        wanted = [item for item in everything if bids[item] is not None and bids[item] >= 0.5]
        assert ids(popularity.retrieve(name, history=[], k=100, filter="bid >= 0.5")) == wanted
        assert ids(popularity.retrieve(name, history=[], k=100, filter="bid is null and bid = 1")) == []
    assert wanted
    with pytest.raises(AdiError, match=r"no column 'bit'\. Did you mean 'bid'\?"):
        popularity.retrieve("search", history=[], filter="bit > 1")


def test_excluded_and_seen_items(popularity):
    everything = ids(popularity.retrieve("search", history=[], k=100))
    assert everything[0] not in ids(popularity.retrieve("search", history=everything[:1], k=100))
    assert ids(popularity.retrieve("search", history=everything[:1], k=100, exclude_seen=False)) == everything
    answer = popularity.retrieve("search", history=[], k=100, exclude=[everything[1], "no such item"])
    assert ids(answer) == [everything[0], *everything[2:]]
    assert answer.ignored == ("no such item",)


def test_a_top_k_as_a_frame_and_in_one_line(popularity):
    top = popularity.retrieve("search", history=["pen", "gold"], k=4)
    frame = top.to_frame()
    assert frame.column_names == ["rank", "item", "score"]
    assert frame.to_pylist() == [
        {"rank": rank, "item": item, "score": score}
        for rank, (item, score) in enumerate(zip(top.ids, top.scores, strict=True), 1)
    ]
    assert repr(top) == "<TopK of search, 4 items: ink 6, cap 4, mug 4, …>"
    assert top._repr_html_().count("<tr>") == 5
    nothing = popularity.retrieve("kiosk", history=["map"])
    assert (repr(nothing), nothing.to_frame().num_rows) == ("<TopK of kiosk, 0 items>", 0)


def test_a_path_may_be_a_string(popularity):
    same = Retriever(popularity.engine.version)
    assert same.retrieve("search", user="ana") == popularity.retrieve("search", user="ana")
    assert repr(same).endswith("run: search, feed, kiosk>")
