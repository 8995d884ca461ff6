"""A marketplace that is small enough to be damaged, killed and made again many times, and a disk that fails."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adi.marketplace.simulation import simulate
from adi.preparation.prepare import prepare
from faults.commands import MARKET
from faults.trials import How, Outcome, Trial

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """A folder with a prepared dataset of three domains."""
    folder = tmp_path_factory.mktemp("made")
    simulate(folder / "market", MARKET, progress=False)
    prepare(folder / "market", folder / "prepared", progress=False)
    return folder


class Trials:
    """Runs commands of `faults.commands` in processes of their own, on a disk that fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        library = folder / "disk.so"
        compiler = shutil.which("cc")
        assert compiler, "no C compiler (cc) to build tests/faults/disk.c with: install Debian's gcc and libc6-dev"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, HERE / "disk.c", "-ldl"], check=True)
        paths = os.pathsep.join([str(HERE.parent), *filter(None, sys.path)])
        environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": paths}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "faults.trials", folder / "made"],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._read()
        self._number = 0
        self.done = 0

    def __call__(self, command: str, how: How, at: int = 0, *, folder: Path, record: Path | str = "") -> Outcome:
        """Run `command` in a folder, with the fault `how` at the `at`-th call that changes a file there."""
        trial: Trial = {"command": command, "folder": str(folder), "how": how, "at": at, "record": str(record)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(trial) + "\n")
        self._process.stdin.flush()
        self.done += how == "finish"  # which ends each trial
        return self._read()

    def new_folder(self, command: str) -> Path:
        """An empty folder, or with what the command finds there."""
        self._number += 1
        folder = self.folder / f"trial{self._number}"
        folder.mkdir()
        self(command, "begin", folder=folder)
        return folder

    def _read(self) -> Outcome:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process of the trials ended"
        return json.loads(line)

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    process = Trials(tmp_path_factory.mktemp("trials"))
    yield process
    process.close()
