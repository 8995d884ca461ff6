"""Requests answered together: each as alone, and those alike by one search."""

from pathlib import Path

import pytest

from adi.retrieval.retriever import RequestError, Retriever
from adi.training.loop import train

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
    tops = towers.answer([towers.read(domain, **asked) for domain, asked in ASKS])
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
    towers.answer([towers.read(domain, **asked) for domain, asked in ASKS])
    assert sorted(searched) == [(0, 1, 2), (0, 1, 3), (0, 4, 3), (1, 1, 3)]


def test_none_are_answered_by_none(towers) -> None:
    assert towers.answer([]) == []


def test_one_that_cannot_be_answered_is_named(towers) -> None:
    requests = [towers.read("search", user="ana"), towers.read("feed", user="ana", bid_weight=0.5)]
    with pytest.raises(RequestError, match="bid") as error:
        towers.answer(requests)
    assert error.value.number == 1
