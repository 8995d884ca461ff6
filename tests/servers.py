"""Two bundles of one dataset, and servers in threads of the test process, for the tests of serving and of routing."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from small import SMALL

if TYPE_CHECKING:  # and imported in the fixtures, since most tests need neither torch nor a server
    import uvicorn
    from fastapi import FastAPI

    from adi.serving.service import Service


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """An application that listens, and a client of it."""

    app: FastAPI
    service: Any
    port: int
    running: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        """Stop as on SIGTERM."""
        self.running.should_exit = True
        self.thread.join()

    def ask(self, path: str, body: object = None, *, method: str | None = None, headers: Any = None) -> Reply:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method or ("GET" if content is None else "POST"), path, content, headers or {})
            response = connection.getresponse()
            text = response.read()
        media_type = response.headers.get("content-type", "")
        return Reply(
            response.status, dict(response.headers), json.loads(text) if "json" in media_type else text.decode()
        )


@pytest.fixture(scope="session")
def bundles(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    from adi.exporting.export import export
    from adi.training.train import train

    folder = tmp_path_factory.mktemp("bundles")
    for seed in (0, 1):
        train(prepared, "dnn", folder / f"run-{seed}", settings=SMALL, seed=seed)
        export(folder / f"run-{seed}", folder / f"bundle-{seed}")
    return folder / "bundle-0", folder / "bundle-1"


@pytest.fixture(scope="session")
def listen() -> Iterator[Callable[..., Server]]:
    """A function that starts a server of an application, which runs until the tests end."""
    from adi.serving.listening import listening

    servers: list[Server] = []

    def start(app: FastAPI, service: Service | None = None, port: int = 0) -> Server:
        running, socket = listening(app, "127.0.0.1", port, 5.0)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [socket]})
        thread.start()
        servers.append(Server(app, service, socket.getsockname()[1], running, thread))
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def serving(listen: Callable[..., Server]) -> Callable[..., Server]:
    """A function that starts a server of a bundle or an experiment, which runs until the tests end."""

    from adi.bundle.portion import WHOLE
    from adi.serving.app import create_app
    from adi.serving.exposures import ExposureLog
    from adi.serving.limits import Limits
    from adi.serving.metrics import Metrics
    from adi.serving.service import Service

    def serve(
        source: Any,
        events: Any = None,
        exposures: Path | None = None,
        portion: Any = WHOLE,
        port: int = 0,
        **limits: Any,
    ) -> Server:
        metrics = Metrics()
        log = None if exposures is None else ExposureLog(exposures, metrics, print)
        service = Service(source, metrics, events, log, portion=portion)
        return listen(create_app(service, Limits(**limits)), service, port)

    return serve


@pytest.fixture(scope="session")
def served(bundles: tuple[Path, Path], serving: Callable[..., Server]) -> Server:
    return serving(bundles[0])


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[Server], threading.Event]:
    """A function that makes the answers of a server wait for the event that it returns."""

    def hold(server: Server) -> threading.Event:
        released, answer = threading.Event(), server.service.answer

        def wait(calls: Any) -> Any:
            assert released.wait(20)
            return answer(calls)

        monkeypatch.setattr(server.service, "answer", wait)
        return released

    return hold
