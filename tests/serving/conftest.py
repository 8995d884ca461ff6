"""Two bundles of one dataset, and servers of them in threads of the test's process."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from adi.bundle.export import export
from adi.serving.app import create_app
from adi.serving.gate import Limits
from adi.serving.metrics import Metrics
from adi.serving.service import Service
from adi.training.loop import train

SMALL = {"embedding_dim": 6, "dim": 4, "networks": (5,), "epochs": 1, "batch_size": 8, "embedding_std": 1.0}


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """A service that listens, and a client of it."""

    service: Service
    port: int

    def ask(self, path: str, body: object = None, *, method: str | None = None, headers: Any = None) -> Reply:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method or ("GET" if content is None else "POST"), path, content, headers or {})
            answer = connection.getresponse()
            text = answer.read()
        kind = answer.headers.get("content-type", "")
        return Reply(answer.status, dict(answer.headers), json.loads(text) if "json" in kind else text.decode())


@pytest.fixture(scope="session")
def bundles(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    for seed in (0, 1):
        train(prepared, "dnn", folder / f"run-{seed}", settings=SMALL, seed=seed)
        export(folder / f"run-{seed}", folder / f"bundle-{seed}")
    return folder / "bundle-0", folder / "bundle-1"


@pytest.fixture(scope="session")
def serving() -> Iterator[Callable[..., Server]]:
    """A function that serves a bundle until the tests end."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(bundle: Path, **limits: Any) -> Server:
        service = Service(bundle, Metrics())
        config = uvicorn.Config(create_app(service, Limits(**limits)), port=0, log_level="error", lifespan="on")
        socket = config.bind_socket()
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        running.append((server, thread))
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        return Server(service, socket.getsockname()[1])

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def served(bundles: tuple[Path, Path], serving: Callable[..., Server]) -> Server:
    return serving(bundles[0])


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[Server], threading.Event]:
    """A function that makes the requests of a server wait for the event that it returns."""

    def hold(server: Server) -> threading.Event:
        go, answer = threading.Event(), server.service.answer

        def wait(asks: Any) -> Any:
            assert go.wait(20)
            return answer(asks)

        monkeypatch.setattr(server.service, "answer", wait)
        return go

    return hold
