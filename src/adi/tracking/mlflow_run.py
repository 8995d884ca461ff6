"""A run in MLflow, which may not answer: what cannot be logged then is logged at the end, or reported as lost."""

import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from adi.errors import ArgumentError
from adi.machine import configure_mlflow

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

EXPERIMENT = "adi"
"""The experiment, where MLFLOW_EXPERIMENT_NAME names no other."""

SCHEMES = {"http", "https", "sqlite", "postgresql", "mysql", "mssql", "file", "databricks"}

BATCH = 100
"""Metrics, or parameters, of one request: as many as a server takes."""

LONGEST = 500
"""Characters of a parameter's value: more than some stores take."""


Action = Callable[["MlflowClient", Any], object]
"""Logs something to a run, by a client and the run's id."""


class MlflowRun:
    """A run of an MLflow server or store.

    An exception of MLflow never ends the work that is tracked: from the first on, all is kept until `end`, which tries
    once more.

    Attributes:
        run_id: the run's id; None until it is made.
        problem: why something was not logged; None if all was.
    """

    def __init__(
        self,
        address: str,
        name: str,
        warn: Callable[[str], None],
        *,
        run_id: str | None = None,
        parent: "MlflowRun | None" = None,
    ) -> None:
        import mlflow.tracking  # noqa: F401  # fails before any work where it is not installed

        if urlsplit(address).scheme.partition("+")[0] not in SCHEMES:
            known = ", ".join(sorted(SCHEMES))
            raise ArgumentError(
                "mlflow", f"'{shown_address(address)}' is no address of MLflow, such as sqlite:///mlflow.db ({known})."
            )
        self.address, self.name, self.run_id, self.parent = address, name, run_id, parent
        self.problem: str | None = None
        self._warn = warn
        self._client: MlflowClient | None = None if parent is None else parent._client
        self._waiting: list[Action] = []
        self._is_started = False

    def metrics(self, values: Mapping[str, float | None], step: int = 0) -> None:
        """Log numbers of a step; undefined ones are left out."""
        from mlflow.entities import Metric

        now = int(1000 * time())
        some = [Metric(metric_name(name), value, now, step) for name, value in values.items() if value is not None]
        for start in range(0, len(some), BATCH):
            self._log(partial(_log_batch, metrics=some[start : start + BATCH]))

    def parameters(self, values: Mapping[str, object]) -> None:
        """Log settings."""
        from mlflow.entities import Param

        some = [Param(name, str(value)[:LONGEST]) for name, value in values.items()]
        for start in range(0, len(some), BATCH):
            self._log(partial(_log_batch, params=some[start : start + BATCH]))

    def tags(self, values: Mapping[str, object]) -> None:
        """Log what identifies the data, the code and the folder."""
        from mlflow.entities import RunTag

        self._log(partial(_log_batch, tags=[RunTag(name, str(value)) for name, value in values.items()]))

    def file(self, path: Path) -> None:
        """Log a file as an artefact."""
        self._log(lambda client, run_id: client.log_artifact(run_id, str(path)))

    def nested(self, name: str) -> "MlflowRun":
        """A run inside this one."""
        return MlflowRun(self.address, name, self._warn, parent=self)

    def end(self, status: str = "FINISHED") -> None:
        """End the run, after all that could not be logged before."""
        self._waiting.append(lambda client, run_id: client.set_terminated(run_id, status))
        self.problem = None
        self._send()
        if self.problem is not None:
            self._warn(f"MLflow, {shown_address(self.address)}: not everything was logged ({self.problem}).")

    def _log(self, action: "Action") -> None:
        self._waiting.append(action)
        if self.problem is None:
            self._send()
            if self.problem is not None:
                address = shown_address(self.address)
                self._warn(f"MLflow, {address}: {self.problem}. The work goes on; logging is tried again at the end.")

    def _send(self) -> None:
        """Log what waits, in its order, until something fails."""
        try:
            client = self._connected()
            if not self._is_started:
                self.run_id, self._is_started = self._started(client), True
            while self._waiting:
                self._waiting[0](client, self.run_id)
                del self._waiting[0]
        except Exception as error:  # whatever a tracking server does, it must not end a training
            self.problem = _reason(error)

    def _connected(self) -> "MlflowClient":
        if self._client is None:
            from mlflow.tracking import MlflowClient

            configure_mlflow()
            for library in ("mlflow", "alembic"):
                logging.getLogger(library).setLevel(logging.WARNING)
            self._client = MlflowClient(tracking_uri=self.address)
        return self._client

    def _started(self, client: "MlflowClient") -> str:
        """Make the run, or go on with the one that has the id; returns the id."""
        if self.run_id is not None:
            client.update_run(self.run_id, status="RUNNING")
            return self.run_id
        from mlflow.environment_variables import MLFLOW_EXPERIMENT_NAME

        experiment = MLFLOW_EXPERIMENT_NAME.get() or EXPERIMENT
        known = client.get_experiment_by_name(experiment)
        number = client.create_experiment(experiment) if known is None else known.experiment_id
        parent = None if self.parent is None else self.parent.run_id
        tags = {} if parent is None else {"mlflow.parentRunId": parent}
        return str(client.create_run(number, run_name=self.name, tags=tags).info.run_id)


def _log_batch(client: "MlflowClient", run_id: str, **values: Any) -> None:
    client.log_batch(run_id, **values)


def _reason(error: Exception) -> str:
    """The message of an error on one line; that of a server which cannot be reached has its internals in it."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "the server does not answer" if "Max retries exceeded" in text else shown_address(text[:300])


def metric_name(name: str) -> str:
    """A name of letters that MLflow takes: ``recall@50/search`` is recall_at_50/search."""
    return re.sub(r"[^\w./ -]", "_", name.replace("@", "_at_"))


def shown_address(address: str) -> str:
    """An address without the name and password that it may have."""
    return re.sub(r"://[^/@]+@", "://", address)
