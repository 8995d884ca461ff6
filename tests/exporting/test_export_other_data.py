"""A bundle of a run on other data than it was trained on: it answers as the run does there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import small
from adi.bundle.engine import BundleEngine
from adi.data.dataset import Dataset
from adi.errors import AdiError, ArgumentError
from adi.exporting.export import export, planned_size
from adi.retrieval.retrieve_all import retrieve_all
from adi.retrieval.retriever import Retriever
from adi.training.train import train
from later_data import renumber, without_kiosk

SMALL = {**small.SMALL, "epochs": 2}


@pytest.mark.parametrize(("model", "change"), [("adi-se", renumber), ("dnn-single", renumber), ("mind", without_kiosk)])
def test_a_bundle_answers_as_the_run_on_that_data(
    prepared: Path, later: Callable[..., Path], tmp_path: Path, model: str, change: Any
) -> None:
    train(prepared, model, tmp_path / "run", settings=SMALL)
    data = Dataset(later(change))
    planned = planned_size(tmp_path / "run", prepared=data.folder)
    info = export(tmp_path / "run", tmp_path / "bundle", prepared=data.folder)
    assert info.fingerprint == data.manifest.fingerprint
    assert tuple(info.domains) == data.domains
    assert sum(domain.items for domain in info.domains.values()) == planned.items
    assert {counted.feature for counted in info.unknown} >= {"item_id", "tags", "device"}
    served, exact = Retriever(tmp_path / "bundle"), Retriever(tmp_path / "run", prepared=data.folder)
    requests: list[dict[str, Any]] = [{"user": data.users.key(number)} for number in range(len(data.users))]
    requests += [{"history": ["pen", "zz", "no such item"]}]
    for domain in data.domains:
        for request in requests:
            context = {"device": "tablet", "hour": "9"}
            expected = exact.retrieve(domain, **request, k=50, context=context)
            top = served.retrieve(domain, **request, k=50, context=context)
            scores = dict(
                zip(expected.ids, expected.scores, strict=True)
            )  # unknown items may score alike, in any order
            assert dict(zip(top.ids, top.scores, strict=True)) == pytest.approx(scores, rel=1e-5, abs=1e-5)
            assert top.ignored == expected.ignored
    rows = [retrieve_all(source, tmp_path / f"{number}.parquet") for number, source in enumerate((served, exact))]
    assert rows == [len(data.domains) * len(data.users)] * 2


def test_a_bundle_holds_the_codes_of_the_run(prepared: Path, later: Callable[..., Path], tmp_path: Path) -> None:
    train(prepared, "dnn", tmp_path / "run", settings=SMALL)
    export(tmp_path / "run", tmp_path / "bundle", prepared=later(renumber))
    own, bundled = Dataset(prepared), BundleEngine(tmp_path / "bundle", verify=True).dataset
    assert bundled.coding.folder == bundled.folder
    assert bundled.manifest.features == own.manifest.features
    for name in ("item_id", "tags", "device"):
        assert bundled.coding.vocabulary(name) == own.coding.vocabulary(name)
    codes = [data.feature("item", "price")[data.items.find("mug")] for data in (own, bundled)]
    assert codes[0] == codes[1]
    assert not list(bundled.folder.rglob("*.number.npy"))


def test_a_bundle_brings_its_own_data(prepared: Path, tmp_path: Path) -> None:
    train(prepared, "dnn", tmp_path / "run", settings=SMALL)
    export(tmp_path / "run", tmp_path / "bundle")
    with pytest.raises(ArgumentError, match="bundle is a bundle, which brings its own data"):
        Retriever(tmp_path / "bundle", prepared=prepared)
    with pytest.raises(AdiError, match="nowhere: not a prepared dataset"):
        export(tmp_path / "run", tmp_path / "other", prepared=tmp_path / "nowhere")
    assert not (tmp_path / "other").exists()
