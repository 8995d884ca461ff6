"""adi models for a dataset: what each model weighs, and why one cannot be had."""

import re

import pytest

from adi.marketplace.simulation import Marketplace, simulate
from adi.models.catalog import MODELS
from adi.models.model import TrainedModel
from adi.preparation.prepare import prepare
from adi.runs.info import read_info

IDS = """
domains: {column: domain}
interactions: {path: interactions/*.parquet, user: user_id, item: item_id, time: ts}
features:
  user: [{name: history, kind: behaviours, length: 5}]
  item: [{name: item_id, kind: id}]
"""


@pytest.fixture(scope="module")
def ids(tmp_path_factory):
    """A prepared log of ids alone."""
    folder = tmp_path_factory.mktemp("ids")
    simulate(folder, Marketplace(users=150, items=80, interactions=1500))
    (folder / "ids.yaml").write_text(IDS)
    prepare(folder / "ids.yaml", folder / "prepared")
    return folder / "prepared"


def counts(shown):
    """Name to (networks, embeddings) of the rows that have them."""
    rows = re.findall(r"^ ([a-z-]+) +([\d,]+) +([\d,]+) ", shown, re.MULTILINE)
    return {name: (int(networks.replace(",", "")), int(tables.replace(",", ""))) for name, networks, tables in rows}


def test_parameters_are_counted_for_the_models_that_are_trained(adi, pipeline):
    done = adi("models", pipeline.folder / "prepared")
    assert (done.returncode, done.stderr) == (0, "")
    found = counts(done.stdout)
    assert list(found) == [name for name, model in MODELS.items() if isinstance(model, TrainedModel)]
    assert found["mmoe"][0] == pytest.approx(found["ple"][0], rel=0.05)
    assert found["adi-se-max"][0] > found["adi-se"][0]
    assert len({found[name][1] for name in ("dnn", "ple", "adi-se")}) == 1  # the same features
    assert re.search(r"^ popularity +– +– +the domain's most clicked items", done.stdout, re.MULTILINE)


def test_a_training_reports_the_parameters_of_networks_and_embeddings_together(adi, pipeline, tmp_path):
    said = adi("train", pipeline.folder / "prepared", "--model", "dnn", "--out", tmp_path / "run", "--set", "epochs=1")
    networks, tables = counts(adi("models", pipeline.folder / "prepared").stdout)["dnn"]
    assert f"({networks + tables:,} parameters)" in said.stdout


def test_an_adaptation_layer_that_is_left_out_is_said(adi, ids):
    shown = adi("models", ids).stdout
    assert counts(shown)["adi-se"] == counts(shown)["adi-va"]
    assert re.search(
        r"^adi-se, adi-se-max, adi-paper: adaptation: the layer 'se' is left out.*\(history and item_id\)",
        shown,
        re.MULTILINE,
    )


def test_a_dataset_that_is_none_is_refused(adi, tmp_path):
    assert f"{tmp_path}: not a prepared dataset" in adi("models", tmp_path).stderr


def test_a_training_without_anything_to_weigh_says_that_the_layer_is_left_out(adi, ids, tmp_path):
    done = adi("train", ids, "--model", "adi-va", "--out", tmp_path / "run", "--set", "epochs=1")
    assert done.returncode == 0
    assert "adaptation: the layer 'attention' is left out." in done.stdout
    assert read_info(tmp_path / "run").notes[0] in done.stdout
    assert adi("evaluate", tmp_path / "run").returncode == 0
