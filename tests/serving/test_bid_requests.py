"""Requests with a bid weight over HTTP: the retriever's answers, and invalid weights."""

from pathlib import Path

import pytest

from adi.exporting.export import export
from adi.retrieval.retriever import Retriever
from adi.training.train import train
from small import SMALL


@pytest.fixture(scope="module")
def bundle(prepared_with_bids: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bids")
    train(prepared_with_bids, "dnn", folder / "run", settings=SMALL)
    export(folder / "run", folder / "bundle", bid="bid")
    return folder / "bundle"


@pytest.fixture(scope="module")
def server(bundle, serving):
    return serving(bundle)


@pytest.mark.parametrize("weight", [0, 0.5, 40])
def test_lists_with_bids_are_those_of_the_retriever(server, bundle, weight) -> None:
    retriever, filters = Retriever(bundle), {"filter": "bid > 1", "exclude": ["mug"]}
    requests = [{"user": "ana", "bid_weight": weight}, {"user": "ana", "bid_weight": weight, **filters}]
    results = server.ask("/v1/retrieve", {"requests": requests}).body["results"]
    for more, result in zip(({}, filters), results, strict=True):
        for domain, ranked in result["domains"].items():
            top = retriever.retrieve(domain, user="ana", bid_weight=weight, **more)
            assert ranked["items"] == list(top.ids)
            assert ranked["scores"] == pytest.approx(list(top.scores))


def test_a_weight_does_not_affect_later_requests(server) -> None:
    plain = {"user": "ana", "domains": ["search"]}
    without, weighed, after = (
        server.ask("/v1/retrieve", body).body["results"] for body in (plain, plain | {"bid_weight": 40}, plain)
    )
    assert without == after != weighed
    # Ordered by bid, since a weight of 40 dwarfs the scores. Of the seven items, pen, ink and cap are in the history.
    bids = {"bag": 6, "été": 5, "本": 8, "mug": 2}
    assert weighed[0]["domains"]["search"]["items"][:3] == sorted(bids, key=bids.__getitem__, reverse=True)[:3]


def test_the_bundle_describes_its_bids(server) -> None:
    bundle = server.ask("/v1/bundle").body
    assert bundle["bid"] == "bid"
    assert bundle["indexes"]["search"]["bids"]["recalls"] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (-0.1, "bid_weight: Input should be greater than or equal to 0"),
        (1e7, "bid_weight: Input should be less than or equal to 1000000"),
        ("much", "bid_weight: Input should be a valid number"),
        (None, "bid_weight: Input should be a valid number"),
        (float("nan"), "bid_weight: Input should be a finite number"),
        (float("inf"), "bid_weight: Input should be a finite number"),
    ],
)
def test_an_invalid_weight_is_refused(server, weight, words) -> None:
    reply = server.ask("/v1/retrieve", {"user": "ana", "bid_weight": weight})
    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")
    assert words in reply.body["detail"]


def test_a_bundle_without_bids_refuses_a_weight(served) -> None:
    assert served.ask("/v1/retrieve", {"user": "ana", "bid_weight": 0}).status == 200
    reply = served.ask("/v1/retrieve", {"requests": [{"user": "ana"}, {"user": "ana", "bid_weight": 2}]})
    assert reply.status == 422
    assert reply.body["detail"] == (
        "requests.1: bid_weight: 2, and this bundle has no bids. Export its run with bid, the items' attribute "
        "that holds them."
    )
