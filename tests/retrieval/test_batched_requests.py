"""Requests in batches: each is answered as alone, and those of one batch key by one search."""

from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.retrieval.request import Request
from adi.retrieval.retriever import Retriever
from adi.training.train import train

REQUESTS = [
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
    run = tmp_path_factory.mktemp("batched") / "run"
    small = {"embedding_sets": 1, "embedding_dim": 4, "networks": (8,), "dim": 4, "epochs": 1, "batch_size": 8}
    train(prepared, "dnn", run, settings=small)
    return Retriever(run)


def test_each_is_answered_as_alone(towers) -> None:
    tops = towers.answer([Request(domain, **arguments) for domain, arguments in REQUESTS])
    for (domain, arguments), top in zip(REQUESTS, tops, strict=True):
        alone = towers.retrieve(domain, **arguments)
        assert (top.domain, top.ids, top.ignored) == (domain, alone.ids, alone.ignored)
        assert top.scores == pytest.approx(alone.scores, abs=1e-6)  # float32, summed in another order
    assert tops[1].ignored == ("gold",)
    assert len(tops[4].ids) == 2


def test_requests_of_one_batch_key_take_one_search(towers, monkeypatch) -> None:
    searches: list[tuple[int, int, int]] = []
    search = towers.engine.search

    def recorded(domain, queries, k, **options):
        searches.append((domain, len(queries), k))
        return search(domain, queries, k, **options)

    monkeypatch.setattr(towers.engine, "search", recorded)
    towers.answer([Request(domain, **arguments) for domain, arguments in REQUESTS])
    assert sorted(searches) == [(0, 1, 2), (0, 1, 3), (0, 4, 3), (1, 1, 3)]


def test_no_requests(towers) -> None:
    assert towers.answer([]) == []


def test_a_bad_request_does_not_fail_the_others(towers) -> None:
    faulty = [
        Request("search", user="nobody"),
        Request("feed", user="ana", bid_weight=0.5),
        Request("shop", user="ana"),
        Request("search", user="ana", filter="bid >"),
        Request("search", user="eve", k=0),
    ]
    good = Request("search", user="ana", k=3)
    results = towers.answer([faulty[0], good, *faulty[1:], good])
    alone = towers.retrieve("search", user="ana", k=3)
    for top in (results[1], results[6]):
        assert top.ids == alone.ids
        assert top.scores == pytest.approx(alone.scores, abs=1e-6)  # float32, summed in another order
    for request, fault in zip(faulty, [results[0], *results[2:6]], strict=True):
        with pytest.raises(AdiError) as error:
            towers.retrieve(**vars(request))
        assert str(fault) == str(error.value)


def test_a_search_that_fails_is_repeated_for_each_request(towers, monkeypatch) -> None:
    """Such as when the vector of one user is not finite."""
    search = towers.engine.search
    eve = towers.dataset.users.find("eve")

    def failing(domain, queries, k, **options):
        if eve in queries.users:
            raise AdiError("not finite")
        return search(domain, queries, k, **options)

    monkeypatch.setattr(towers.engine, "search", failing)
    ana, broken, bo = towers.answer([Request("search", user=user, k=3) for user in ("ana", "eve", "bo b")])
    assert str(broken) == "not finite"
    assert (len(ana.ids), len(bo.ids)) == (3, 3)
