"""Bundles with trends, experiments, a clock that can be set and a Redis server of each test."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from adi.data.dataset import Dataset
from adi.exporting.export import export
from adi.serving.experiment import Experiment
from adi.training.train import train
from servers import SMALL

NO_REDIS = (
    "These tests run Debian's redis-server, which this machine lacks. Install it as root with 'apt-get install "
    "redis-server', or put it on the PATH. `make test` installs it where it may."
)


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
