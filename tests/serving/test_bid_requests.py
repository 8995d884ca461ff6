"""Requests with a bid weight over HTTP: as the retriever answers them, and what is refused."""

from pathlib import Path

import pytest

from adi.exporting.export import export
from adi.retrieval.retriever import Retriever
from adi.training.train import train

SMALL = {"embedding_dim": 6, "dim": 4, "networks": (5,), "epochs": 1, "batch_size": 8, "embedding_std": 1.0}


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
def test_each_domain_is_answered_as_by_the_retriever(server, bundle, weight) -> None:
    retriever, filters = Retriever(bundle), {"filter": "bid > 1", "exclude": ["mug"]}
    asks = [{"user": "ana", "bid_weight": weight}, {"user": "ana", "bid_weight": weight, **filters}]
    results = server.ask("/v1/retrieve", {"requests": asks}).body["results"]
    for more, result in zip(({}, filters), results, strict=True):
        for domain, found in result["domains"].items():
            top = retriever.retrieve(domain, user="ana", bid_weight=weight, **more)
            assert found["items"] == [one.item for one in top.items]
            assert found["scores"] == pytest.approx([one.score for one in top.items])


def test_the_weight_is_that_of_one_request(server) -> None:
    plain = {"user": "ana", "domains": ["search"]}
    without, weighed, after = (
        server.ask("/v1/retrieve", ask).body["results"] for ask in (plain, plain | {"bid_weight": 40}, plain)
    )
    assert without == after != weighed
    # by bid, for a weight of 40 dwarfs the scores; of the seven, ana has had pen, ink and cap
    bids = {"bag": 6, "été": 5, "本": 8, "mug": 2}
    assert weighed[0]["domains"]["search"]["items"][:3] == sorted(bids, key=bids.__getitem__, reverse=True)[:3]


def test_the_bundle_tells_what_its_bids_are(server) -> None:
    about = server.ask("/v1/bundle").body
    assert about["bid"] == "bid"
    assert about["indexes"]["search"]["bids"]["recalls"] == [1.0, 1.0, 1.0]


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
def test_a_weight_that_is_none_is_refused(server, weight, words) -> None:
    reply = server.ask("/v1/retrieve", {"user": "ana", "bid_weight": weight})
    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")
    assert words in reply.body["detail"]


def test_a_bundle_without_bids_refuses_a_weight_alone(served) -> None:
    assert served.ask("/v1/retrieve", {"user": "ana", "bid_weight": 0}).status == 200
    reply = served.ask("/v1/retrieve", {"requests": [{"user": "ana"}, {"user": "ana", "bid_weight": 2}]})
    assert reply.status == 422
    assert reply.body["detail"] == (
        "requests.1: bid_weight = 2: this bundle has no bids. Export its run with --bid COLUMN, the items' attribute "
        "that holds them."
    )
