"""From tables to a report and a bundle in one call, which goes on where an earlier one stopped."""

import json
from pathlib import Path

import pytest

from adi.marketplace.simulation import Marketplace, simulate
from adi.retrieval.retriever import Retriever
from adi.runs.info import read_info
from adi.steps.quickstart import quickstart
from adi.training.loop import Training

MARKET = Marketplace(users=120, items=60, interactions=1200, groups=4, clusters=4)
SETTINGS = {"epochs": 1, "embedding_dim": 4, "dim": 4, "networks": [4], "embedding_sets": 1, "uniform": 20}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("quickstart") / "market"
    simulate(folder, MARKET)
    return [folder / "interactions", folder / "users.parquet", folder / "items.parquet"]


@pytest.fixture(scope="module")
def done(tables, tmp_path_factory):
    """A quick start's result, and what it said."""
    said: list[str] = []
    made = quickstart(tables, tmp_path_factory.mktemp("done") / "first", settings=SETTINGS, say=said.append)
    return made, said


def test_all_is_made(done):
    made, said = done
    assert [run.name for run in made.runs] == ["popularity", "sequential-rules", "item-knn", "ease", "adi-se"]
    assert [read_info(run).model for run in made.runs] == [
        "popularity",
        "sequential-rules",
        "item-knn",
        "ease",
        "adi-se",
    ]
    assert "adi-se" in made.report.read_text()
    assert made.comparison.baseline in ("popularity", "sequential-rules", "item-knn", "ease")
    assert len(Retriever(made.bundle).retrieve("search", user="1", k=3).ids) == 3
    assert any(line.startswith("Data: ") and " rows of 120 users and 60 items in 3 domains" in line for line in said)
    assert any(line.startswith("Trained: adi-se. By the data: ") for line in said)


def test_the_same_call_makes_nothing_anew(done, tables):
    made, _ = done
    before = {path: path.stat().st_mtime_ns for path in made.prepared.parent.rglob("*") if path.is_file()}
    again = quickstart(tables, made.schema.parent, settings=SETTINGS, say=lambda sentence: None)
    assert again.runs == made.runs
    after = {path: path.stat().st_mtime_ns for path in made.prepared.parent.rglob("*") if path.is_file()}
    assert {path for path in before if before[path] != after.get(path)} <= {made.report}


def test_an_interrupted_training_goes_on_and_other_settings_are_trained_anew(tables, tmp_path, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    said: list[str] = []
    monkeypatch.setattr(Training, "_validate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        quickstart(tables, tmp_path / "out", settings=SETTINGS, say=said.append)
    monkeypatch.undo()
    made = quickstart(tables, tmp_path / "out", settings=SETTINGS, say=said.append)
    assert read_info(made.runs[-1]).status == "complete"
    made = quickstart(tables, tmp_path / "out", settings=SETTINGS | {"epochs": 2}, say=said.append)
    assert f"{made.runs[-1]} is of other settings, and is made anew." in said
    assert read_info(made.runs[-1]).config["training"]["epochs"] == 2


def test_a_corrected_schema_is_used_and_all_is_made_anew(tables, tmp_path):
    said: list[str] = []
    out = tmp_path / "out"
    quickstart(tables, out, settings=SETTINGS, say=said.append)
    text = (out / "schema.yaml").read_text()
    (out / "schema.yaml").write_text(text.replace("values: [search, cart, feed]", "leave_out: [feed]"))
    made = quickstart(tables, out, settings=SETTINGS, say=said.append)
    assert f"Data: {made.schema} is another than before, so all is made anew." in said
    assert json.loads((made.prepared / "manifest.json").read_text())["domains"] == ["cart", "search"]
    assert all(read_info(run).domains == ("cart", "search") for run in made.runs)


def test_without_validation_rows_there_are_baselines_alone(tmp_path):
    """Two rows of a user and domain: one is the test, one is left for training."""
    rows = [(f"u{user}", f"i{(user + turn) % 7}", domain) for user in range(20) for domain in "ab" for turn in (0, 1)]
    lines = [f"{user},{item},{domain},{time}" for time, (user, item, domain) in enumerate(rows)]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,domain,time", *lines]) + "\n")
    said: list[str] = []
    made = quickstart([tmp_path / "log.csv"], tmp_path / "out", say=said.append)
    everything = ["popularity", "personal-popularity", "sequential-rules", "item-knn", "ease"]  # users repeat items
    assert [run.name for run in made.runs] == everything
    assert (made.bundle, made.comparison) == (None, None)
    assert said[-1] == "Model: none, since no user has rows enough for validation; adi-se needs them."
