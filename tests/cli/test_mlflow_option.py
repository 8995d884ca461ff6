"""`--mlflow` of train, evaluate and tune: settings, epochs, measures by domain, and a server that does not answer."""

import json
import sys
from pathlib import Path

import pytest

from mlflow_stand_in import Store, install

ADDRESS = ["--mlflow", "http://mlflow:5000"]


@pytest.fixture
def store(monkeypatch) -> Store:
    return install(monkeypatch)


def test_a_training_and_its_evaluation_are_one_run(
    adi, pipeline, tiny: list[str], tmp_path: Path, store: Store
) -> None:
    run, prepared = tmp_path / "run", pipeline.folder / "prepared"
    words = ["train", prepared, "--model", "dnn", "--out", run, "--set=epochs=2", "--set=refit=false", *tiny]
    done = adi(*words, *ADDRESS, "--json")
    trained = json.loads(done.stdout)
    assert trained["mlflow"] == {"run_id": "run0", "problem": None}
    logged = store.runs["run0"]
    assert (logged["name"], logged["status"], logged["files"]) == ("run", "FINISHED", ["run.json"])
    assert (logged["params"]["model"], logged["params"]["training.epochs"]) == ("dnn", "2")
    assert logged["tags"]["adi.data"] == trained["fingerprint"]
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    expected = {epoch["epoch"]: epoch["validation"]["domains"]["feed"]["recall@50"] for epoch in log}
    assert logged["metrics"]["validation/recall_at_50/feed"] == pytest.approx(expected)
    assert set(logged["metrics"]["loss"]) == {1, 2}
    measured = json.loads(adi("evaluate", run, *ADDRESS, "--json").stdout)
    assert list(store.runs) == ["run0"]
    assert logged["metrics"]["test/recall_at_50/feed"] == {0: measured["domains"]["feed"]["recall@50"]}
    assert logged["metrics"]["test/recall_at_50/mean"] == {0: measured["mean"]["recall@50"]}
    assert logged["files"] == ["run.json", "metrics.json"]
    assert adi("verify", run).returncode == 0


def test_a_server_that_does_not_answer_loses_no_training(
    adi, pipeline, tiny: list[str], tmp_path: Path, store: Store
) -> None:
    store.answers = False
    words = ["train", pipeline.folder / "prepared", "--model", "dnn", "--out", tmp_path / "run", "--set=epochs=1"]
    done = adi(*words, *tiny, *ADDRESS)
    assert done.returncode == 0
    assert done.stderr.count("MLflow, http://mlflow:5000: no answer. The work goes on") == 1
    assert "MLflow, http://mlflow:5000: not everything was logged (no answer)." in done.stderr
    assert not (tmp_path / "run" / "mlflow.json").exists()
    store.answers = True
    adi("evaluate", tmp_path / "run", *ADDRESS)  # which makes up for it
    assert store.runs["run0"]["params"]["model"] == "dnn"
    assert "test/recall_at_50/feed" in store.runs["run0"]["metrics"]


def test_an_interrupted_training_is_killed_and_goes_on_in_its_run(
    adi, pipeline, tiny: list[str], tmp_path: Path, store: Store, monkeypatch
) -> None:
    from adi.training.loop import Training

    words = ["train", pipeline.folder / "prepared", "--model", "dnn", "--out", tmp_path / "run", *ADDRESS, *tiny]
    words += ["--set=epochs=3", "--set=refit=false"]
    validate = Training._validate

    def interrupted(training: Training) -> None:
        if training.progress.epoch == 2:
            raise KeyboardInterrupt
        validate(training)

    monkeypatch.setattr(Training, "_validate", interrupted)
    assert adi(*words).returncode == 130
    assert store.runs["run0"]["status"] == "KILLED"
    monkeypatch.setattr(Training, "_validate", validate)
    assert adi(*words, "--resume").returncode == 0
    assert (list(store.runs), store.runs["run0"]["status"]) == (["run0"], "FINISHED")
    assert set(store.runs["run0"]["metrics"]["loss"]) == {1, 2, 3}


def test_the_trials_of_a_tuning_are_runs_inside_one(adi, pipeline, tmp_path: Path, store: Store) -> None:
    words = ["tune", pipeline.folder / "prepared", "--model", "item-knn", "--out", tmp_path / "t", "--trials", 2]
    result = json.loads(adi(*words, *ADDRESS, "--json").stdout)
    assert result["mlflow"]["run_id"] == "run0"
    assert [run["name"] for run in store.runs.values()] == ["t", "trial 0", "trial 1"]
    assert [run["tags"].get("mlflow.parentRunId") for run in store.runs.values()] == [None, "run0", "run0"]
    assert set(store.runs["run0"]["metrics"]["mean"]) == {0, 1}
    assert all(run["status"] == "FINISHED" for run in store.runs.values())


def test_the_address_may_come_from_the_environment(adi, pipeline, tmp_path: Path, store: Store, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    done = adi("train", pipeline.folder / "prepared", "--model", "popularity", "--out", tmp_path / "run")
    assert (done.returncode, list(store.runs)) == (0, ["run0"])


def test_without_the_package_the_extra_is_named(adi, pipeline, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr("adi.cli.main.remedy", lambda name: f"install {name.partition('.')[0]}")
    done = adi("train", pipeline.folder / "prepared", "--model", "popularity", "--out", tmp_path / "run", *ADDRESS)
    assert (done.returncode, done.stderr) == (2, "adi: install mlflow\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:The ``noload`` loader")  # of SQLAlchemy, which MLflow 3.17 still uses
def test_a_store_of_mlflow(adi, pipeline, tmp_path: Path, monkeypatch) -> None:
    """MLflow itself, where it is installed, with a store in a file."""
    client = pytest.importorskip("mlflow.tracking").MlflowClient
    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path}/mlflow.db"
    adi("train", pipeline.folder / "prepared", "--model", "popularity", "--out", "run", "--mlflow", address)
    adi("evaluate", "run", "--mlflow", address)
    run_id = json.loads((tmp_path / "run" / "mlflow.json").read_text())["run_id"]
    run = client(tracking_uri=address).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["model"] == "popularity"
    assert run.data.metrics["test/recall_at_50/feed"] > 0
    files = client(tracking_uri=address).list_artifacts(run_id)
    assert {file.path for file in files} == {"run.json", "metrics.json"}
