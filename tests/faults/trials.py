"""Trials of commands on a disk that fails: one process loads adi once, and forks a child for each trial.

    LD_PRELOAD=disk.so python -m faults.trials FOLDER < trials > outcomes

FOLDER is made first (`faults.commands.make`). Each line of the input is a `Trial` as JSON, and each line of the output
its `Outcome`, but the first, which says that the folder is made.
"""

import ctypes
import faulthandler
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Literal, TypedDict

import pytest

from adi.data import folder as folders
from adi.data.folder import LOCK
from adi.errors import AdiError
from adi.exporting import graphs
from adi.thread_budget import THREAD_BUDGET
from adi.verification import CHECKS, verify
from cheaper import trace_once
from faults import commands
from faults.commands import COMMANDS, Command

How = Literal["count", "kill", "full", "record", "begin", "finish"]
FAULTS: tuple[How, ...] = ("count", "kill", "full", "record")
"""In the order of their numbers in disk.c."""

LONGEST = 120
"""Seconds after which a trial ends with the stack of all threads."""


class Trial(TypedDict):
    """A command that writes ``folder/out``, with a fault at the `at`-th call that changes a file in `folder`.

    `record` is the folder of a record. "begin" makes what is there before, and "finish" has no fault.
    """

    command: str
    folder: str
    how: How
    at: int
    record: str


class Outcome(TypedDict):
    """The end of a trial: `killed`; or the number of `calls`, the `error`, and the `digests` of the files written."""

    killed: bool
    calls: int
    error: str | None
    digests: dict[str, str]


def finish(command: Command, made: Path, out: Path) -> None:
    """Do as a user after a fault: verify the result that is there, and run the command again unless it is complete."""
    if any((out / name).exists() for name in CHECKS):
        faults = verify(out).faults
        assert not faults, faults
    if not command.is_complete(out):
        command.run(made, out)
    left_behind = [path for path in out.parent.rglob(".*") if path.name != LOCK]
    assert not left_behind, left_behind


def attempt(trial: Trial, made: Path, disk: ctypes.CDLL) -> Outcome:
    """Run a trial in this process, which it may kill."""
    command, folder, how = COMMANDS[trial["command"]], Path(trial["folder"]), trial["how"]
    error, digests = None, {}
    try:
        if how == "begin":
            command.begin(made, folder / "out")
        else:
            if how != "finish":
                record = os.fsencode(trial["record"])
                disk.faults_arm(os.fsencode(folder), FAULTS.index(how), ctypes.c_long(trial["at"]), record)
            finish(command, made, folder / "out")
            if how == "finish":
                digests = dict(command.digests(folder / "out"))
    except AdiError as raised:
        error = f"AdiError: {raised}"
    except OSError as raised:  # the command line says it in a line if it names a file
        error = f"OSError: {raised}" if raised.filename else traceback.format_exc()
    except BaseException:
        error = traceback.format_exc()
    calls = disk.faults_count()
    disk.faults_arm(b"", 0, ctypes.c_long(0), b"")
    return {"killed": False, "calls": calls, "error": error, "digests": digests}


def in_child(trial: Trial, made: Path, disk: ctypes.CDLL) -> Outcome:
    """Run a trial in a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(LONGEST, exit=True)
        sys.stdout = sys.stderr
        outcome = json.dumps(attempt(trial, made, disk))
        os.close(reading)
        with os.fdopen(writing, "w") as file:
            file.write(outcome)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        outcome = file.read()
    _, status = os.waitpid(child, 0)
    if outcome:
        return json.loads(outcome)
    return {"killed": os.WIFSIGNALED(status), "calls": 0, "error": f"ended with status {status}", "digests": {}}


def make(folder: Path) -> None:
    """Make what commands read. The tables in a child, since threads of DuckDB do not live on in a fork."""
    child = os.fork()
    if child == 0:
        commands.make_tables(folder)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0
    commands.make_models(folder)


def main(made: Path) -> None:
    disk = ctypes.CDLL(os.environ["LD_PRELOAD"])
    folders.LEFT_BEHIND = 0.0  # what a killed trial left is removed by the next at once
    THREAD_BUDGET.cores = 1  # nor do threads of OpenMP live on
    trace_once(graphs, pytest.MonkeyPatch())
    make(made)
    print(json.dumps("made"), flush=True)
    for line in sys.stdin:
        print(json.dumps(in_child(json.loads(line), made, disk)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
