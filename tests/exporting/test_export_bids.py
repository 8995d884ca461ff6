"""A bundle with bids: it answers as the run does at any weight, and without a weight as a bundle without bids."""

from pathlib import Path

import numpy as np
import pytest

import small
from adi.bundle.engine import BundleEngine
from adi.bundle.manifest import read_bundle_info
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.exporting import shared_folder
from adi.exporting.domain import DomainExport
from adi.exporting.export import export
from adi.exporting.queries import sample_queries
from adi.retrieval.retriever import Retriever
from adi.training.train import train

SMALL = {**small.SMALL, "epochs": 2, "blend": False}
RUNS = {"adi-se": {"embedding_lr": 1.0}, "mind": {"similarity": "cosine", "temperature": 0.2}}


@pytest.fixture(scope="module", params=RUNS)
def run(prepared_with_bids: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A run whose users have one vector, and one whose users have several."""
    out = tmp_path_factory.mktemp("bids") / "run"
    train(prepared_with_bids, request.param, out, settings=SMALL | RUNS[request.param])
    return out


@pytest.fixture(scope="module")
def bundle(run: Path) -> Path:
    export(run, run.parent / "bundle", bid="bid")
    return run.parent / "bundle"


@pytest.fixture(scope="module")
def plain(run: Path) -> Path:
    """The same run without bids."""
    export(run, run.parent / "plain")
    return run.parent / "plain"


@pytest.mark.parametrize("weight", [0.1, 1.0, 20.0])
def test_every_user_gets_what_the_run_gives(run, bundle, prepared_with_bids, weight) -> None:
    exact, served = Retriever(run, bid="bid"), Retriever(bundle)
    data = Dataset(prepared_with_bids)
    for domain in data.domains:
        for number in range(len(data.users)):
            for options in ({}, {"exclude_seen": False, "k": 3}, {"exclude": ["pen", "map"]}, {"filter": "bid < 64"}):
                arguments = {"user": data.users.key(number), "bid_weight": weight, **options}
                expected, top = exact.retrieve(domain, **arguments), served.retrieve(domain, **arguments)
                assert top.ids == expected.ids
                np.testing.assert_allclose(top.scores, expected.scores, rtol=1e-5, atol=1e-5)


def test_a_score_is_that_of_the_model_and_the_bids_part(bundle) -> None:
    retriever, bids = Retriever(bundle), {"bag": 16.0, "mug": 1.0, "pen": 2.0}
    plain, top = (retriever.retrieve("feed", history=["ink"], bid_weight=weight) for weight in (0.0, 3.0))
    without = dict(zip(plain.ids, plain.scores, strict=True))
    expected = {item: without[item] + 3 * np.log(bid) for item, bid in bids.items()}
    assert list(top.ids) == sorted(expected, key=expected.__getitem__, reverse=True)
    assert dict(zip(top.ids, top.scores, strict=True)) == pytest.approx(expected, rel=1e-5)


def test_without_a_weight_nothing_changes(bundle, plain) -> None:
    info, other = read_bundle_info(bundle), read_bundle_info(plain)
    assert {name for name, file in info.files.items() if other.files.get(name) != file} == {
        f"bids/{domain}.npy" for domain in range(3)
    }
    assert info.version != other.version
    retrievers = Retriever(bundle), Retriever(plain)
    for domain in info.domains:
        with_bids, without = (retriever.retrieve(domain, user="ana", bid_weight=0.0) for retriever in retrievers)
        assert with_bids == without


def test_the_manifest_says_what_was_checked(bundle, plain) -> None:
    info = read_bundle_info(bundle, verify=True)
    assert (info.bid, read_bundle_info(plain).bid) == ("bid", None)
    for domain in info.domains.values():
        assert domain.bids is not None
        assert domain.bids.recalls == (1.0, 1.0, 1.0)
        assert domain.bids.queries == domain.parity.queries
        assert domain.bids.weights == pytest.approx([domain.bids.weights[1] * share for share in (0.25, 1, 4)])
    about = BundleEngine(bundle).about()
    assert (about["bid"], about["indexes"]["feed"]["bids"]["recalls"]) == ("bid", [1.0, 1.0, 1.0])
    assert BundleEngine(plain).about()["indexes"]["feed"]["bids"] is None


def test_at_the_middle_weight_bids_spread_as_widely_as_scores(run, bundle) -> None:
    """By the standard deviation over the items of a domain, that of scores averaged over the queries."""
    info, retriever = read_bundle_info(bundle), Retriever(bundle)
    logs = np.load(bundle / info.domains["search"].bids.file)
    queries = sample_queries(Dataset(Retriever(run).dataset.folder), 0, 256)
    corpus = retriever.engine.items(0)
    hits = retriever.engine.search(0, queries, 100, excluded=[corpus[:0]] * len(queries))
    spread = np.mean([top.scores.std() for top in hits])
    assert info.domains["search"].bids.weights[1] * logs.std() == pytest.approx(spread, rel=1e-4)


def test_a_bundle_without_bids_says_how_to_get_them(plain) -> None:
    with pytest.raises(AdiError, match=r"bid_weight: 0\.5, and this bundle has no bids\. Export its run with bid, the"):
        Retriever(plain).retrieve("search", history=[], bid_weight=0.5)


@pytest.mark.parametrize("argument", [{"bid": "price"}, {"model": "my_models:MINE"}])
def test_a_bundle_takes_no_other_bids_or_model(bundle, argument) -> None:
    (name,) = argument
    with pytest.raises(AdiError, match=rf"^{name}: .*bundle is a bundle, which brings its own {name}\. Leave it out"):
        Retriever(bundle, **argument)


@pytest.mark.parametrize(
    ("bid", "message"),
    [
        ("price", r"domain 'search', column 'price': 4 of the 8 items .* the first is item 'bag' \(missing\)"),
        ("tags", r"domain 'search', column 'tags': is of type list"),
        ("bit", r"no attribute 'bit'\. Did you mean 'bid'"),
    ],
)
def test_an_attribute_without_bids_stops_the_export_before_it_begins(run, tmp_path, monkeypatch, bid, message) -> None:
    monkeypatch.setattr(shared_folder, "new_folder", None)
    with pytest.raises(AdiError, match=message):
        export(run, tmp_path / "bundle", bid=bid)
    assert list(tmp_path.iterdir()) == []


def test_an_index_that_misses_its_target_with_bids_is_not_published(run, tmp_path, monkeypatch) -> None:
    recall = DomainExport._recall
    monkeypatch.setattr(DomainExport, "_recall", lambda self, *args: 0.98 if len(args) > 3 else recall(self, *args))
    with pytest.raises(
        AdiError, match=r"^domain 'search': with a bid weight of \S+ the index finds 0\.9800 of the exact"
    ):
        export(run, tmp_path / "bundle", bid="bid", settings={"target": 0.99})
    assert not (tmp_path / "bundle").exists()
