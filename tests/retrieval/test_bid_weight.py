"""A run's top k by score + weight · log bid, worked out by hand on a model that counts clicks."""

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.retrieval.retrieve_all import retrieve_all
from adi.retrieval.retriever import Retriever
from adi.training.train import train

ONE = 1 / math.log(2)
"""The weight at which a bid of 2 ** n adds n."""


@pytest.fixture(scope="module")
def run(prepared_with_bids: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("popularity") / "run"
    train(prepared_with_bids, "popularity", out)
    return out


@pytest.fixture(scope="module")
def retriever(run: Path) -> Retriever:
    return Retriever(run, bid="bid")


def shown(top):
    return " ".join(f"{item}:{score:.6g}" for item, score in zip(top.ids, top.scores, strict=True))


@pytest.mark.parametrize(
    ("domain", "weight", "expected"),
    [
        # clicks, validation rows too: pen 8, ink 6, cap mug 4, jar été 2, bag 本 1; bids as powers of two:
        # pen -1, cap 0, mug 2, ink 3, jar 1.5, été 5, bag 6, 本 8
        ("search", 0, "pen:8 ink:6 cap:4 mug:4 jar:2 été:2 bag:1 本:1"),
        ("search", 0.25, "pen:7.75 ink:6.75 mug:4.5 cap:4 été:3.25 本:3 bag:2.5 jar:2.375"),
        ("search", 2, "本:17 bag:13 ink:12 été:12 mug:8 pen:6 jar:5 cap:4"),
        # clicks: pen mug 3, bag 1; bids: pen 1, mug 0, bag 4
        ("feed", 0, "mug:3 pen:3 bag:1"),
        ("feed", 1, "bag:5 pen:4 mug:3"),
        ("kiosk", 2, "map:8"),
    ],
)
def test_the_bids_of_the_domain_are_added_to_all_scores(retriever, domain, weight, expected):
    for k in (1, 3, 100):
        top = retriever.retrieve(domain, history=[], k=k, bid_weight=weight * ONE)
        assert shown(top) == " ".join(expected.split()[:k])


def test_filter_and_excluded_items_are_left_out_before(retriever):
    arguments = {"history": ["bag"], "exclude": ["été"], "k": 3, "bid_weight": 2 * ONE}
    assert shown(retriever.retrieve("search", **arguments)) == "本:17 ink:12 mug:8"
    assert shown(retriever.retrieve("search", **arguments, filter="bid < 100")) == "ink:12 mug:8 pen:6"
    everything = retriever.retrieve("search", **arguments, filter="bid < 100", exclude_seen=False)
    assert shown(everything) == "bag:13 ink:12 mug:8"


def test_a_weight_changes_nothing_for_later_requests(retriever, run):
    plain = Retriever(run).retrieve("search", user="ana")
    retriever.retrieve("search", user="ana", bid_weight=3.0)
    assert retriever.retrieve("search", user="ana") == plain


def test_each_row_of_a_batch_is_what_the_user_gets_alone(retriever, tmp_path):
    retrieve_all(retriever, tmp_path / "top.parquet", k=4, bid_weight=2 * ONE)
    rows = pq.read_table(tmp_path / "top.parquet").to_pylist()
    assert len(rows) == 13 * 3
    for row in rows:
        top = retriever.retrieve(row["domain"], user=row["user"], k=4, bid_weight=2 * ONE)
        assert row["items"] == list(top.ids)
        assert row["scores"] == pytest.approx(top.scores)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf, 1e7])
def test_a_weight_out_of_range_is_refused(retriever, tmp_path, weight):
    with pytest.raises(AdiError, match=f"bid_weight: {weight}; give a number from 0"):
        retriever.retrieve("search", history=[], bid_weight=weight)
    with pytest.raises(AdiError, match=f"bid_weight: {weight}; give a number from 0"):
        retrieve_all(retriever, tmp_path / "top.parquet", bid_weight=weight)
    assert list(tmp_path.iterdir()) == []


def test_a_run_needs_the_attribute_of_the_bids(run):
    with pytest.raises(AdiError, match=r"^bid: missing\. A bid weight needs the name of the items' attribute"):
        Retriever(run).retrieve("search", history=[], bid_weight=1.0)
    with pytest.raises(AdiError, match=r"no attribute 'bit'\. Did you mean 'bid'"):
        Retriever(run, bid="bit")
    with pytest.raises(AdiError, match=r"domain 'search', column 'price': 4 of the 8 items .* item 'bag' \(missing\)"):
        Retriever(run, bid="price").retrieve("search", history=[], bid_weight=1.0)
