"""A stand-in for MLflow's client, which keeps what is logged; for environments without MLflow."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest


class Metric(NamedTuple):
    key: str
    value: float
    timestamp: int
    step: int


class Param(NamedTuple):
    key: str
    value: str


class Store:
    """A tracking server: its runs by id, and whether it answers."""

    def __init__(self) -> None:
        self.answers, self.experiment, self.runs = True, "", dict[str, dict[str, Any]]()

    def client(self, tracking_uri: str) -> "Client":
        return Client(self)


class Client:
    def __init__(self, store: Store) -> None:
        self.store = store

    def _run(self, run_id: str) -> dict[str, Any]:
        if not self.store.answers:
            raise ConnectionError("no answer")
        return self.store.runs[run_id]

    def get_experiment_by_name(self, name: str) -> None:
        if not self.store.answers:
            raise ConnectionError("no answer")

    def create_experiment(self, name: str) -> str:
        self.store.experiment = name
        return "1"

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> SimpleNamespace:
        run_id = f"run{len(self.store.runs)}"
        self.store.runs[run_id] = {
            "name": run_name, "tags": dict(tags), "params": {}, "metrics": {}, "files": [], "status": "RUNNING"
        }  # fmt: skip
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id))

    def update_run(self, run_id: str, status: str) -> None:
        self._run(run_id)["status"] = status

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        run = self._run(run_id)
        assert max(map(len, (metrics, params))) <= 100
        for metric in metrics:
            run["metrics"].setdefault(metric.key, {})[metric.step] = metric.value
        run["params"] |= dict(params)
        run["tags"] |= dict(tags)

    def log_artifact(self, run_id: str, path: str) -> None:
        self._run(run_id)["files"].append(path.rpartition("/")[2])

    def set_terminated(self, run_id: str, status: str) -> None:
        self._run(run_id)["status"] = status


def install(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Put the stand-in where MLflow would be imported from."""
    store = Store()
    variable = SimpleNamespace(get=lambda: None)
    parts: dict[str, dict[str, Any]] = {
        "mlflow": {},
        "mlflow.tracking": {"MlflowClient": store.client},
        "mlflow.entities": {"Metric": Metric, "Param": Param, "RunTag": Param},
        "mlflow.environment_variables": {"MLFLOW_EXPERIMENT_NAME": variable},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return store
