"""Requests answered together: each as alone, and those alike by one search."""

from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.retrieval.request import Request
from adi.retrieval.retriever import Retriever
from adi.training.train import train

ASKS = [
    ("search", {"user": "ana", "k": 3}),
    ("search", {"user": "bo b", "k": 3, "exclude": ["pen", "gold"]}),
    ("feed", {"user": "ana", "k": 3}),
    ("search", {"history": ["pen", "unheard-of"], "k": 3, "exclude_seen": False, "context": {"device": "phone"}}),
    ("search", {"user": "eve", "k": 2}),
    ("search", {"user": "eve", "k": 3, "recent": [("ink", "feed")]}),
    ("search", {"user": "eve", "k": 3, "filter": "bid > 1"}),
]


@pytest.fixture(scope="module")
def towers(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    run = tmp_path_factory.mktemp("together") / "run"
    small = {"embedding_dim": 4, "networks": (8,), "dim": 4, "epochs": 1, "batch_size": 8}
    train(prepared, "dnn", run, settings=small)
    return Retriever(run)


def test_each_is_answered_as_alone(towers) -> None:
    tops = towers.answer([Request(domain, **asked) for domain, asked in ASKS])
    for (domain, asked), top in zip(ASKS, tops, strict=True):
        alone = towers.retrieve(domain, **asked)
        assert (top.domain, top.ids, top.ignored) == (domain, alone.ids, alone.ignored)
        assert top.scores == pytest.approx(alone.scores)
    assert tops[1].ignored == ("gold",)
    assert len(tops[4].ids) == 2


def test_those_alike_take_one_search(towers, monkeypatch) -> None:
    searched: list[tuple[int, int, int]] = []
    search = towers.engine.search

    def noted(domain, queries, k, **more):
        searched.append((domain, len(queries), k))
        return search(domain, queries, k, **more)

    monkeypatch.setattr(towers.engine, "search", noted)
    towers.answer([Request(domain, **asked) for domain, asked in ASKS])
    assert sorted(searched) == [(0, 1, 2), (0, 1, 3), (0, 4, 3), (1, 1, 3)]


def test_none_are_answered_by_none(towers) -> None:
    assert towers.answer([]) == []


def test_the_fault_of_one_is_not_that_of_others(towers) -> None:
    faulty = [
        Request("search", user="nobody"),
        Request("feed", user="ana", bid_weight=0.5),
        Request("shop", user="ana"),
        Request("search", user="ana", filter="bid >"),
        Request("search", user="eve", k=0),
    ]
    good = Request("search", user="ana", k=3)
    found = towers.answer([faulty[0], good, *faulty[1:], good])
    alone = towers.retrieve("search", user="ana", k=3)
    for top in (found[1], found[6]):
        assert top.ids == alone.ids
        assert top.scores == pytest.approx(alone.scores)
    for request, fault in zip(faulty, [found[0], *found[2:6]], strict=True):
        with pytest.raises(AdiError) as error:
            towers.retrieve(**vars(request))
        assert str(fault) == str(error.value)


def test_a_search_that_fails_for_one_is_made_for_each(towers, monkeypatch) -> None:
    """As where the vector of one user is not finite."""
    search = towers.engine.search
    eve = towers.dataset.users.find("eve")

    def failing(domain, queries, k, **more):
        if eve in queries.users:
            raise AdiError("not finite")
        return search(domain, queries, k, **more)

    monkeypatch.setattr(towers.engine, "search", failing)
    ana, broken, bo = towers.answer([Request("search", user=user, k=3) for user in ("ana", "eve", "bo b")])
    assert str(broken) == "not finite"
    assert (len(ana.ids), len(bo.ids)) == (3, 3)
