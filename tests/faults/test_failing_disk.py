"""Commands that are killed, lose power or meet a full disk at any call that changes a file.

Whatever happened, the result is complete or absent, and the same command afterwards ends with the same digests as one
that nothing happened to. `make test` tries a few calls of each command, `make faults` every call.
"""

import shutil
from functools import cache

import pytest

from faults.commands import COMMANDS
from faults.power_loss import states_of, write


@pytest.fixture(scope="session")
def expected(trials):
    """The number of calls of a command where nothing fails, and the digests of its files."""

    @cache
    def run(command):
        folder = trials.new_folder(command)
        outcome = trials(command, "count", folder=folder)
        assert outcome["error"] is None, outcome
        return outcome["calls"], finished(trials, command, folder)

    return run


def finished(trials, command, folder):
    """The digests of the files after the command was run again, or its error; the folder is removed."""
    outcome = trials(command, "finish", folder=folder)
    shutil.rmtree(folder)
    return outcome["error"] or outcome["digests"]


def kill(trials, command, calls, digests, *, again: bool = False):
    """Kill a command at each of the calls, and `again` when it goes on; yields what is wrong afterwards."""
    for at in calls:
        folder = trials.new_folder(command)
        killed = trials(command, "kill", at, folder=folder)["killed"]
        if again:
            trials(command, "kill", max(1, at // 2), folder=folder)
        result = finished(trials, command, folder)
        if not killed or result != digests:
            yield at, killed, result


def fill(trials, command, calls, digests):
    """Let the disk be full from each of the calls on; yields what is wrong with the message, or afterwards."""
    for at in calls:
        folder = trials.new_folder(command)
        error = trials(command, "full", at, folder=folder)["error"]
        result = finished(trials, command, folder)
        # A command whose last call needs no space, such as a removal, may succeed.
        is_named = error is None or (error.startswith(("AdiError", "OSError")) and str(folder) in error)
        if not is_named or result != digests:
            yield at, error, result


def lose(trials, command, digests, few: int | None = None):
    """Lose power after each of the calls, or after a `few`; yields what is wrong afterwards."""
    folder = trials.new_folder(command)
    before = shutil.copytree(folder, trials.folder / f"{folder.name}-before")
    record = trials.folder / f"{folder.name}-record"
    record.mkdir()
    outcome = trials(command, "record", folder=folder, record=record)
    assert outcome["error"] is None, outcome
    shutil.rmtree(folder)
    states = list(states_of(folder, before, record))
    for at, tree in states if few is None else [states[index - 1] for index in spread(len(states), few)]:
        write(tree, folder)
        result = finished(trials, command, folder)
        if result != digests:
            yield at, sorted(tree), result


def spread(calls: int, number: int) -> list[int]:
    """Some of the calls, at even distances."""
    return sorted({1 + (calls - 1) * (2 * part + 1) // (2 * number) for part in range(number)})


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_few_failures(trials, expected, command):
    calls, digests = expected(command)
    wrong = [
        *kill(trials, command, spread(calls, 3), digests),
        *fill(trials, command, spread(calls, 1), digests),
        *lose(trials, command, digests, few=2),
    ]
    assert not wrong, shown(wrong)


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", ["kill", "kill again", "fill", "lose"])
def test_every_failure(trials, expected, record_property, command, fault):
    calls, digests = expected(command)
    every = range(1, calls + 1)
    failures = {
        "kill": lambda: kill(trials, command, every, digests),
        "kill again": lambda: kill(trials, command, every, digests, again=True),
        "fill": lambda: fill(trials, command, every, digests),
        "lose": lambda: lose(trials, command, digests),
    }[fault]
    before = trials.done
    wrong = list(failures())
    record_property("trials", trials.done - before)
    assert not wrong, shown(wrong)


def shown(failures) -> str:
    """Failures in full, which pytest would cut: a line for each, and the first three after them."""
    return "\n".join([*(str(failure)[:300] for failure in failures), *map(str, failures[:3])])
