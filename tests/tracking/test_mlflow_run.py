"""A run in MLflow, whose server may not answer."""

from pathlib import Path

import pytest

from adi.errors import ArgumentError
from adi.tracking.mlflow_run import MlflowRun, metric_name, shown_address
from mlflow_stand_in import Store, install

ADDRESS = "http://user:secret@mlflow:5000"


@pytest.fixture
def store(monkeypatch) -> Store:
    return install(monkeypatch)


@pytest.fixture
def said() -> list[str]:
    return []


def test_all_is_logged_in_batches(store: Store, said: list[str], tmp_path: Path) -> None:
    run = MlflowRun(ADDRESS, "run", said.append)
    run.parameters({f"p{number}": number for number in range(150)} | {"long": "x" * 600})
    run.metrics({"recall@50/search": 0.25, "recall@50/feed": None}, 3)
    run.file(tmp_path / "run.json")
    run.end()
    logged = store.runs[run.run_id]
    assert (logged["name"], logged["status"], store.experiment) == ("run", "FINISHED", "adi")
    assert (len(logged["params"]), len(logged["params"]["long"])) == (151, 500)
    assert logged["metrics"] == {"recall_at_50/search": {3: 0.25}}
    assert (logged["files"], run.problem, said) == (["run.json"], None, [])


def test_what_a_server_missed_is_logged_at_the_end(store: Store, said: list[str]) -> None:
    run = MlflowRun(ADDRESS, "run", said.append)
    run.metrics({"loss": 3.0}, 1)
    store.answers = False
    for epoch in (2, 3):
        run.metrics({"loss": 3.0 - epoch}, epoch)
    assert said == ["MLflow, http://mlflow:5000: no answer. The work goes on; logging is tried again at the end."]
    store.answers = True
    run.end()
    assert store.runs[run.run_id]["metrics"] == {"loss": {1: 3.0, 2: 1.0, 3: 0.0}}
    assert (run.problem, len(said)) == (None, 1)


def test_a_server_that_never_answers_is_told_at_the_end(store: Store, said: list[str]) -> None:
    store.answers = False
    run = MlflowRun(ADDRESS, "run", said.append)
    run.metrics({"loss": 3.0})
    run.end()
    assert (run.run_id, run.problem, len(said)) == (None, "no answer", 2)
    assert said[1] == "MLflow, http://mlflow:5000: not everything was logged (no answer)."


def test_a_run_goes_on_by_its_id(store: Store, said: list[str]) -> None:
    first = MlflowRun(ADDRESS, "run", said.append)
    first.end()
    again = MlflowRun(ADDRESS, "run", said.append, run_id=first.run_id)
    again.metrics({"loss": 1.0})
    assert (list(store.runs), store.runs["run0"]["status"]) == (["run0"], "RUNNING")


def test_a_nested_run_has_its_parent(store: Store, said: list[str]) -> None:
    run = MlflowRun(ADDRESS, "study", said.append)
    run.metrics({"mean": 0.5})
    nested = run.nested("trial 0")
    nested.end("FAILED")
    assert store.runs[nested.run_id]["tags"] == {"mlflow.parentRunId": run.run_id}
    assert store.runs[nested.run_id]["status"] == "FAILED"


@pytest.mark.parametrize("address", ["mlflow:5000", "ftp://mlflow", "runs"])
def test_another_address_is_refused_before_any_work(store: Store, said: list[str], address: str) -> None:
    with pytest.raises(ArgumentError, match=f"'{address}' is no address of MLflow, such as sqlite:///mlflow.db"):
        MlflowRun(address, "run", said.append)


def test_names_and_addresses() -> None:
    assert metric_name("test/recall@50/Größe #1") == "test/recall_at_50/Größe _1"
    assert shown_address("http://user:secret@host/x") == "http://host/x"
    assert shown_address("sqlite:///a@b.db") == "sqlite:///a@b.db"
