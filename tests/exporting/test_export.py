"""A run exported as a bundle: it answers as the run does, and an incomplete bundle is refused."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import small
from adi.bundle.engine import BundleEngine
from adi.bundle.manifest import read_bundle_info, version_of
from adi.data.dataset import Dataset
from adi.data.sealed import files_in, write_sealed
from adi.errors import AdiError
from adi.exporting import domain as domain_module
from adi.exporting.domain import DomainExport
from adi.exporting.export import export, planned_size
from adi.index.build import IndexSettings
from adi.retrieval.retriever import Retriever
from adi.training.train import train

SMALL = {**small.SMALL, "epochs": 2}
RUNS = {
    "adi-se": {"embedding_sets": 2, "behaviours": "recency", "keep": "domain", "embedding_lr": 1.0},
    "mind": {"similarity": "cosine", "temperature": 0.2},
    "dnn-single": {"behaviours": "transformer"},
}


def trained(prepared: Path, folder: Path, model: str) -> Path:
    run = folder / model
    train(prepared, model, run, settings=SMALL | RUNS[model])
    return run


@pytest.fixture(scope="module", params=RUNS)
def pair(prepared: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A run and its bundle."""
    folder = tmp_path_factory.mktemp("bundle")
    run = trained(prepared, folder, request.param)
    export(run, folder / "bundle")
    return run, folder / "bundle"


@pytest.fixture(scope="module")
def run(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(prepared, tmp_path_factory.mktemp("run"), "mind")


@pytest.fixture(scope="module")
def complete(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("complete") / "bundle"
    export(run, out)
    return out


@pytest.fixture
def bundle(complete: Path, tmp_path: Path) -> Path:
    """A copy for a test to damage."""
    return Path(shutil.copytree(complete, tmp_path / "bundle"))


def test_every_user_gets_in_every_domain_what_the_run_gives(pair: tuple[Path, Path], prepared: Path) -> None:
    exact, served = (Retriever(path) for path in pair)
    data = Dataset(prepared)
    context = {"device": "mobile", "hour": "9"}
    users = [{"user": data.users.key(number)} for number in range(len(data.users))]
    users += [{"history": ["pen", "no such item", "mug"]}, {"history": []}, {"user": "ana", "history": ["pen"]}]
    for domain in data.domains:
        for user in users:
            for options in ({}, {"exclude_seen": False}, {"exclude": ["pen", "tea"]}):
                expected = exact.retrieve(domain, **user, **options, k=50, context=context)
                top = served.retrieve(domain, **user, **options, k=50, context=context)
                assert top.ids == expected.ids
                np.testing.assert_allclose(top.scores, expected.scores, rtol=1e-5, atol=1e-5)
                assert top.ignored == expected.ignored


def test_the_manifest_says_what_was_checked(pair: tuple[Path, Path], prepared: Path) -> None:
    info, data = BundleEngine(pair[1], verify=True).info, Dataset(prepared)
    assert tuple(info.domains) == data.domains
    assert info.files == files_in(pair[1], ["bundle.json"])
    for number, domain in enumerate(info.domains.values()):
        assert domain.items == len(data.corpora.retrievable(number))
        assert domain.parity.recall == 1.0
        assert domain.parity.vectors < 1e-5
        assert domain.parity.queries > 0
    assert repr(info) == str(info) == f"<Bundle of {info.model}, version {info.version}: 3 domains, 12 items>"
    frame = info.to_frame().to_pylist()
    assert frame[1] == {"domain": "feed", "items": 3, "index": "exact", "recall": 1.0}
    assert info._repr_html_().count("<tr>") == 4


def test_a_bundle_needs_neither_run_nor_prepared_data(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    before = export(str(run), str(tmp_path / "bundle"))
    (tmp_path / "bundle").rename(moved)
    info = json.loads((moved / "bundle.json").read_text())
    assert str(run.parent) not in json.dumps(info)
    assert BundleEngine(moved, verify=True).version == before.version
    assert not (moved / "data" / "test").exists()


def test_the_same_run_gives_the_same_version(run: Path, complete: Path, tmp_path: Path, traces) -> None:
    traces.clear()
    assert export(run, tmp_path / "again").version == read_bundle_info(complete).version


def test_a_bundle_holds_no_path_of_the_machine_that_made_it(complete: Path, prepared: Path) -> None:
    machine = (str(Path(export.__code__.co_filename).parents[2]), str(prepared), sys.prefix)
    graphs = [path.read_bytes() for path in complete.rglob("*.onnx")]
    assert len(graphs) == 3
    assert not any(path.encode() in graph for path in machine for graph in graphs)


def test_the_planned_size_is_that_of_the_vectors(run: Path, complete: Path) -> None:
    planned = planned_size(run, IndexSettings())
    cards = [index.card for index in BundleEngine(complete).indexes.values()]
    assert planned.items == sum(card.items for card in cards)
    assert planned.bytes == sum(4 * card.items * card.dim for card in cards)
    assert planned_size(run, IndexSettings(exact_below=0)).bytes == planned.bytes / 2


def test_a_model_without_vectors_is_refused(prepared: Path, tmp_path: Path) -> None:
    train(prepared, "popularity", tmp_path / "run")
    with pytest.raises(AdiError, match="a run of popularity, which has no vectors for an index"):
        export(tmp_path / "run", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_tower_that_differs_from_the_model_is_not_published(run: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(domain_module, "TOLERANCE", 1e-12)
    with pytest.raises(AdiError, match=r"^domain 'search': the exported user tower differs from the model by"):
        export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_an_index_under_its_target_is_not_published(run: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(DomainExport, "_recall", lambda *_: 0.98)
    with pytest.raises(AdiError, match=r"^domain 'search': the index finds 0.9800 of the model's own top"):
        export(run, tmp_path / "bundle", settings={"target": 0.99})
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": 2}, r"^settings: target: should be 1 or less \(got 2\)"),
        ({"exact_bellow": 9}, r"^settings: exact_bellow: is not a known key\. Did you mean 'exact_below'\?"),
    ],
)
def test_wrong_settings_are_refused_before_the_run_is_opened(settings, message: str, tmp_path: Path) -> None:
    for attempt in (planned_size, lambda run, wrong: export(run, tmp_path / "bundle", settings=wrong)):
        with pytest.raises(AdiError, match=message):
            attempt("nowhere", settings)


@pytest.mark.parametrize("name", ["towers/0.onnx", "data/corpus/item.npy", "indexes/1/vectors.faiss"])
def test_an_incomplete_bundle_is_refused(bundle: Path, name: str) -> None:
    file = bundle / name
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(AdiError, match=rf"{name}: {len(content) - 1:,} bytes of {len(content):,}\. Copy the bundle"):
        BundleEngine(bundle)
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(AdiError, match=rf"{name}: other content than was written\. Copy the bundle again"):
        BundleEngine(bundle, verify=True)
    file.unlink()
    with pytest.raises(AdiError, match=rf"{name}: the file is missing\. Copy the bundle again"):
        BundleEngine(bundle)


def test_a_bundle_of_another_format_is_refused(bundle: Path) -> None:
    path = bundle / "bundle.json"
    info = json.loads(path.read_text())
    del info["digest"]
    path.write_text(json.dumps(info | {"format": 99}))
    with pytest.raises(AdiError, match=r"format 99, and this adi reads format 2\. Export the bundle again"):
        BundleEngine(bundle)
    path.write_text(json.dumps(info | {"colour": "red"}))
    with pytest.raises(AdiError, match=r"not a manifest that this adi wrote: .*colour"):
        BundleEngine(bundle)
    with pytest.raises(AdiError, match="not a bundle"):
        read_bundle_info(bundle / "data")


def test_parts_of_different_bundles_are_refused(bundle: Path) -> None:
    info = read_bundle_info(bundle)
    shutil.rmtree(bundle / "indexes" / "0")
    shutil.copytree(bundle / "indexes" / "1", bundle / "indexes" / "0")
    files = files_in(bundle, ["bundle.json"])
    changed = info.model_copy(update={"files": files, "version": version_of(files)})
    write_sealed(bundle / "bundle.json", changed.model_dump_json(indent=1))
    with pytest.raises(AdiError, match=r"domain 'search' has .* parts of different bundles"):
        BundleEngine(bundle)
