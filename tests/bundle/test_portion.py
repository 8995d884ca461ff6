"""Portions of a bundle: some domains, and shards that together find what the whole bundle finds."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from adi.bundle.engine import BundleEngine
from adi.bundle.portion import WHOLE, Portion, Shard, parse_shard
from adi.errors import AdiError, ArgumentError
from adi.exporting.export import export
from adi.retrieval.request import Request
from adi.retrieval.retrieve_all import retrieve_all
from adi.retrieval.retriever import Retriever
from adi.training.train import train
from small import SMALL

SHARDS = 3


@pytest.fixture(scope="module")
def bundle(prepared_with_bids: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("portions")
    train(prepared_with_bids, "dnn", folder / "run", settings=SMALL)
    export(folder / "run", folder / "bundle", bid="bid")
    return folder / "bundle"


def merged(tops, k):
    """The items and scores of several lists, best first, equal scores by id."""
    pairs = [pair for top in tops for pair in zip(top.ids, top.scores, strict=True)]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:k]


@pytest.mark.parametrize(
    "request_of",
    [
        {"user": "ana"},
        {"user": "ana", "exclude_seen": True},
        {"user": "bo b", "exclude_seen": False, "exclude": ["pen", "été"]},
        {"history": ["pen", "ink"], "filter": "price >= 2"},
        {"user": "cy", "exclude_seen": False, "bid_weight": 0.5},
        {"user": "cy", "exclude_seen": False, "bid_weight": 2.0, "filter": "price >= 2"},
    ],
    ids=str,
)
@pytest.mark.parametrize("k", [1, 3, 20])
def test_shards_together_find_what_the_bundle_does(bundle: Path, request_of, k: int) -> None:
    whole = Retriever(bundle)
    shards = [Retriever(bundle, portion=Portion(shard=Shard(n, SHARDS))) for n in range(1, SHARDS + 1)]
    for domain in whole.domains:
        expected = whole.retrieve(domain, **request_of, k=k)
        tops = [shard.retrieve(domain, **request_of, k=k) for shard in shards]
        assert merged(tops, k) == list(zip(expected.ids, expected.scores, strict=True))
        assert {top.ignored for top in tops} == {expected.ignored}


def test_a_folder_has_the_lists_of_one_shard_of_one_bundle(bundle: Path, tmp_path: Path) -> None:
    first, second = (Retriever(bundle, portion=Portion(shard=Shard(n, SHARDS))) for n in (1, 2))
    assert retrieve_all(first, tmp_path / "top", progress=False) > 0
    assert retrieve_all(first, tmp_path / "top", progress=False) == 0
    with pytest.raises(ArgumentError, match=r"another request, which differs in shard\."):
        retrieve_all(second, tmp_path / "top", progress=False)
    export(bundle.with_name("run"), tmp_path / "bundle")
    with pytest.raises(ArgumentError, match=r"another request, which differs in bundle, shard\."):
        retrieve_all(tmp_path / "bundle", tmp_path / "top", progress=False)


def test_all_lists_of_a_portion_are_those_of_its_domains(bundle: Path, tmp_path: Path) -> None:
    feed = Retriever(bundle, portion=Portion(domains=("feed",)))
    assert retrieve_all(feed, tmp_path / "top.parquet", progress=False) > 0
    assert set(pq.read_table(tmp_path / "top.parquet")["domain"].to_pylist()) == {"feed"}
    with pytest.raises(AdiError, match="domain 'search' is not served here"):
        retrieve_all(feed, tmp_path / "search.parquet", domains=["search"], progress=False)


def test_shards_share_out_the_items(bundle: Path) -> None:
    whole = BundleEngine(bundle)
    shards = [BundleEngine(bundle, portion=Portion(shard=Shard(n, SHARDS))) for n in range(1, SHARDS + 1)]
    for domain in range(3):
        items = np.concatenate([shard.items(domain) for shard in shards])
        assert sorted(items) == whole.items(domain).tolist()
        for number, shard in enumerate(shards):
            assert (shard.items(domain) % SHARDS == number).all()
            assert len(shard.items(domain)) == len(shard.indexes[domain]) == len(shard.bids[domain])
    assert not all(len(shard.items(2)) for shard in shards)  # the kiosk has one item


def test_only_the_domains_of_a_portion_are_loaded_and_answered(bundle: Path) -> None:
    retriever = Retriever(bundle, portion=Portion(("kiosk", "search")))
    assert retriever.domains == ("search", "kiosk")
    assert set(retriever.engine.indexes) == set(retriever.engine.towers) == {0, 2}
    whole = Retriever(bundle)
    assert retriever.retrieve("search", user="ana") == whole.retrieve("search", user="ana")
    known, refused = retriever.answer([Request("kiosk", user="cy"), Request("feed", user="cy")])
    assert known == whole.retrieve("kiosk", user="cy")
    assert str(refused) == ("domain 'feed' is not served here. This server has search, kiosk: ask one that has 'feed'.")
    with pytest.raises(AdiError, match=r"domain 'serch' is not one of search, feed, kiosk"):
        retriever.retrieve("serch", user="ana")


def test_a_domain_that_the_bundle_lacks(bundle: Path) -> None:
    with pytest.raises(
        ArgumentError, match=r"domains: 'fed' is not one of .*search, feed, kiosk\. Did you mean 'feed'"
    ):
        Retriever(bundle, portion=Portion(("fed",)))


def test_a_run_has_no_portions(bundle: Path) -> None:
    with pytest.raises(ArgumentError, match=r"portion: .*run is a run"):
        Retriever(bundle.parent / "run", portion=Portion(("feed",)))


def test_the_form_of_a_shard() -> None:
    assert parse_shard("2/8") == Shard(2, 8)
    assert str(Shard(2, 8)) == "2/8"
    assert WHOLE.names(["a", "b"]) == ("a", "b")


@pytest.mark.parametrize("text", ["2", "2/", "/8", "a/8", "2/8/9", "-1/2", ""])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match=rf"shard: '{text}' is not of the form 2/8"):
        parse_shard(text)


@pytest.mark.parametrize("text", ["0/4", "5/4", "0/0"])
def test_a_number_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match=rf"shard: '{text}': shards have the numbers"):
        parse_shard(text)
