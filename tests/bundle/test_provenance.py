"""Provenance of a bundle: the files it keeps of its run, present, missing or damaged."""

import json

import pytest

from adi.bundle.provenance import read_provenance, write_provenance
from adi.errors import AdiError

INFO = {"model": "dnn", "seed": 7, "status": "complete", "created": "2026-01-02", "domains": ["search"]}
INFO |= {
    "prepared": "../data",
    "fingerprint": "f00d",
    "parameters": 12,
    "versions": {},
    "config": {"model": {"dim": 4}},
}
MEASURES = {"queries": 3, "corpus": 9, "recall@2": 1.0, "mrr@2": None}
METRICS = {"model": "dnn", "part": "test", "against": "corpus", "history": "earlier", "ks": [2]}
METRICS |= {"domains": {"search": MEASURES}, "mean": {"recall@2": 1.0}, "ranks": "ab"}
INTEREST = {"user": {"features": ["age"], "values": {"search": [0.25]}}}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name, content in (("run", INFO), ("metrics", METRICS), ("interest", INTEREST)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "bundle").mkdir()
    return tmp_path / "bundle"


def test_a_run_with_all_of_them(run, bundle) -> None:
    write_provenance(run, bundle)
    shown = json.loads(json.dumps(read_provenance(bundle)))
    metrics = {key: METRICS[key] for key in ("part", "against", "history", "ks", "domains", "mean")}
    info = {key: INFO[key] for key in ("seed", "created", "parameters", "config")}
    assert shown == info | {"metrics": metrics, "interest": INTEREST}


def test_a_run_that_was_not_evaluated(run, bundle) -> None:
    for name in ("metrics", "interest"):
        (run / f"{name}.json").unlink()
    write_provenance(run, bundle)
    provenance = read_provenance(bundle)
    assert (provenance["seed"], provenance["metrics"], provenance["interest"]) == (7, None, None)


def test_a_bundle_without_any(bundle) -> None:
    assert set(read_provenance(bundle).values()) == {None}


@pytest.mark.parametrize("name", ["run", "metrics", "interest"])
def test_a_damaged_file_is_named(run, bundle, name) -> None:
    write_provenance(run, bundle)
    for folder in (run, bundle / "run"):
        (folder / f"{name}.json").write_text("{")
    with pytest.raises(AdiError, match=rf"bundle/run/{name}\.json: damaged\. Copy the bundle again"):
        read_provenance(bundle)
    (bundle / "run").rename(bundle / "before")
    with pytest.raises(AdiError, match=rf"/{name}\.json: "):
        write_provenance(run, bundle)
