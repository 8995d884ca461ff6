"""Two bundles of one dataset, and servers of bundles in threads of the test process."""

import http.client
import json
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import uvicorn
from fastapi import FastAPI

from adi.data.dataset import Dataset
from adi.exporting.export import export
from adi.serving.app import create_app
from adi.serving.events import EventStore
from adi.serving.experiment import Experiment
from adi.serving.exposures import ExposureLog
from adi.serving.limits import Limits
from adi.serving.metrics import Metrics
from adi.serving.service import Service
from adi.training.train import train

SMALL = {"embedding_dim": 6, "dim": 4, "networks": (5,), "epochs": 1, "batch_size": 8, "embedding_std": 1.0}

NO_REDIS = (
    "These tests run Debian's redis-server, which this machine lacks. Install it as root with 'apt-get install "
    "redis-server', or put it on the PATH. `make test` installs it where it may."
)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """An application that listens, and a client of it."""

    app: FastAPI
    service: Service
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
    folder = tmp_path_factory.mktemp("bundles")
    for seed in (0, 1):
        train(prepared, "dnn", folder / f"run-{seed}", settings=SMALL, seed=seed)
        export(folder / f"run-{seed}", folder / f"bundle-{seed}")
    return folder / "bundle-0", folder / "bundle-1"


@pytest.fixture(scope="session")
def trending_run(trending: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trending") / "run"
    train(trending.folder, "dnn", folder, settings=SMALL | {"epochs": 2, "batch_size": 64})
    return folder


@pytest.fixture(scope="session")
def trending_bundle(trending_run: Path) -> Path:
    """A bundle with trends, whose log has numbers as times and ends at 32,400."""
    export(trending_run, trending_run.parent / "bundle")
    return trending_run.parent / "bundle"


@pytest.fixture(scope="session")
def audience_run(trending_context: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audiences") / "run"
    train(trending_context.folder, "dnn", folder, settings=SMALL | {"epochs": 2, "batch_size": 64})
    return folder


@pytest.fixture(scope="session")
def audience_bundle(audience_run: Path) -> Path:
    """A bundle like `trending_bundle`, with audiences and the context features device and charge."""
    export(audience_run, audience_run.parent / "bundle")
    return audience_run.parent / "bundle"


class SetClock:
    """A clock that shows what it is set to, in the unit of the log."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def between() -> Callable[[Path, Path], Experiment]:
    """A function that makes an experiment with two arms of equal weight: `old`, the control, and `new`."""

    def make(old: Path, new: Path) -> Experiment:
        arms = {"old": {"bundle": old, "weight": 1}, "new": {"bundle": new, "weight": 1}}
        return Experiment.model_validate({"name": "ranker-2", "control": "old", "arms": arms})

    return make


@pytest.fixture(scope="session")
def listen() -> Iterator[Callable[[FastAPI, Service], Server]]:
    """A function that starts a server of an application, which runs until the tests end."""
    servers: list[Server] = []

    def start(app: FastAPI, service: Service) -> Server:
        config = uvicorn.Config(app, port=0, log_level="error", lifespan="on")
        socket = config.bind_socket()
        running = uvicorn.Server(config)
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
def serving(listen: Callable[[FastAPI, Service], Server]) -> Callable[..., Server]:
    """A function that starts a server of a bundle or an experiment, which runs until the tests end."""

    def serve(
        source: Path | Experiment, events: EventStore | None = None, exposures: Path | None = None, **limits: Any
    ) -> Server:
        metrics = Metrics()
        log = None if exposures is None else ExposureLog(exposures, metrics, print)
        service = Service(source, metrics, events, log)
        return listen(create_app(service, Limits(**limits)), service)

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


class RedisServer:
    """A Redis server for one test, on a socket in a folder, which may hang, stop and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.url = folder, f"unix://{folder}/redis.sock"
        self.client = redis.Redis.from_url(self.url, decode_responses=True)
        self.start()

    def start(self, *options: str) -> None:
        (self.folder / "redis.sock").unlink(missing_ok=True)
        command = ["redis-server", "--port", "0", "--unixsocket", f"{self.folder}/redis.sock", "--save", "", *options]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL)
        while True:
            assert self.process.poll() is None, f"redis-server ended with {self.process.returncode}"
            with suppress(redis.ConnectionError):
                self.client.ping()
                return
            time.sleep(0.01)

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.fail(NO_REDIS)
    # Not in tmp_path, since the path of a socket may have no more than about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="adi-") as folder:
        server = RedisServer(Path(folder))
        yield server
        server.client.close()
        server.stop()
