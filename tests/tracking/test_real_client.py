"""MLflow's own client, with a server that answers as MLflow's does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from adi.tracking.mlflow_run import MlflowRun

RUN = {"info": {"run_id": "run0", "experiment_id": "1", "status": "RUNNING"}, "data": {}}
ANSWERS = {"experiments/get-by-name": {"experiment": {"experiment_id": "1", "name": "adi"}}, "runs/update": {}}


class Handler(BaseHTTPRequestHandler):
    """The calls of one run."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        name = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
        body = json.dumps(ANSWERS.get(name, {"run": RUN})).encode()
        self.server.called.append(name)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.called = []  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_standard_output_is_left_to_the_result(server, capfd) -> None:
    run = MlflowRun(f"http://127.0.0.1:{server.server_port}", "run", print)
    run.metrics({"loss": 3.0}, 1)
    run.end()
    assert (run.run_id, run.problem) == ("run0", None)
    assert server.called[-1] == "runs/update"
    assert {"runs/create", "runs/log-batch"} <= set(server.called)
    assert capfd.readouterr().out == ""
