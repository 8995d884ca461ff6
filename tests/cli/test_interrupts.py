"""Ctrl-C and SIGTERM at every moment of a command: the signal's exit code, one line at most, nothing half written."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import pytest

from adi.cli.interrupts import Interrupt

START = [sys.executable, "-X", "importtime", "-m", "adi"]
IMPORTED = "import time:"
AFTER = signal.SIGINT + 128
SHARES = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1)
SAYS = {signal.SIGINT: "adi: interrupted\n", signal.SIGTERM: "adi: terminated\n"}


def imports(words: list[str], count: int | None, number: int = signal.SIGINT) -> tuple[int, str, int]:
    """Start a command and send it a signal when it has imported `count` modules; none for None.

    Returns the exit code, what else it wrote to standard error, and the number of modules that it imported. They count
    from the first that the program itself imports: before, Python starts, and answers a signal in its own way.
    """
    process = subprocess.Popen([*START, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    written, seen, started = [], 0, False
    for line in process.stderr:
        if not line.startswith(IMPORTED):
            written.append(line)
            continue
        started = started or line.rpartition("|")[2].strip() == "adi.cli"
        seen += started
        if started and count is not None and seen > count:
            process.send_signal(number)
            break
    _, rest = process.communicate(timeout=120)
    written += [line for line in rest.splitlines(keepends=True) if not line.startswith(IMPORTED)]
    return process.returncode, "".join(written), seen


@pytest.fixture(scope="module")
def modules(pipeline) -> int:
    """The number of modules that a command imports which imports few."""
    return imports(["verify", str(pipeline.folder / "prepared")], None)[2]


@pytest.mark.parametrize(("share", "number"), list(zip(SHARES, cycle(SAYS), strict=False)))
def test_a_signal_amid_the_start_ends_it_without_a_traceback(pipeline, modules, share: float, number: int) -> None:
    words = ["verify", str(pipeline.folder / "prepared")]
    code, written, _ = imports(words, int(share * (modules - 1)), number)
    codes = {128 + number, -number} | ({0} if share > 0.9 else set())  # it may be done before the signal is there
    assert (code in codes, written in ("", SAYS[number])) == (True, True), (code, written)


def interrupted(work: Callable[[], object]) -> int | None:
    """The signal that ends a block which does some work, and then waits."""
    interrupt = Interrupt()
    try:
        with interrupt:
            work()
            time.sleep(10)
    except KeyboardInterrupt:
        return interrupt.number
    return None


HIDING = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    done = True
except BaseException:
    done = False
"""


class TestInterrupt:
    """`Interrupt` in this process, to which the tests send signals."""

    def test_an_import_that_hides_exceptions_is_ended_first(self, tmp_path: Path, monkeypatch) -> None:
        (tmp_path / "hiding_module.py").write_text(HIDING)
        monkeypatch.syspath_prepend(tmp_path)
        assert interrupted(lambda: import_module("hiding_module")) == signal.SIGINT
        assert sys.modules.pop("hiding_module").done

    def test_one_that_python_discards_is_raised_again(self) -> None:
        class Finalised:
            def __del__(self) -> None:
                os.kill(os.getpid(), signal.SIGTERM)

        assert interrupted(Finalised) == signal.SIGTERM

    def test_another_exception_that_python_discards_is_printed_as_before(self, monkeypatch) -> None:
        seen: list[type] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_type))
        with Interrupt():
            sys.unraisablehook(SimpleNamespace(exc_type=ValueError))
        assert seen == [ValueError]

    def test_a_second_signal_soon_after_does_not_cut_short_what_is_undone(self) -> None:
        undone = []

        def work() -> None:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            finally:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)
                undone.append(True)

        assert interrupted(work) == signal.SIGINT
        assert undone

    def test_signals_that_are_ignored_stay_ignored(self) -> None:
        former = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with suppress(KeyboardInterrupt), Interrupt() as interrupt:
                os.kill(os.getpid(), signal.SIGINT)
            assert interrupt.number is None
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, former)

    def test_handlers_of_before_are_there_again(self) -> None:
        names = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
        before = [signal.getsignal(number) for number in names]
        with Interrupt():
            assert [signal.getsignal(number) for number in names] != before
        assert [signal.getsignal(number) for number in names] == before


STUCK = """
import ctypes, os, signal, threading, time
from adi.cli import interrupts
interrupts.REPEATED = 0.1
def send():
    for _ in range({signals}):
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=send, daemon=True).start()
with interrupts.Interrupt({patience}):
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):  # the second time waits for ever, in C
        ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""


@pytest.mark.parametrize(("signals", "patience"), [(2, None), (1, 0.3)])
def test_a_process_that_waits_in_c_is_ended(signals: int, patience: float | None) -> None:
    """By the second signal, or where it may wait for another process, some time after the first."""
    script = STUCK.format(signals=signals, patience=patience)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=25)
    assert (done.returncode, done.stderr) == (AFTER, "")


def commands(folder: Path, out: Path, tiny: list[str]) -> dict[str, list[str]]:
    """Every command that takes a while, by name; `out` is the folder of each that writes one."""
    train = [str(folder / "prepared"), "--model", "dnn", "--out", str(out), "--set=epochs=2", *tiny]
    run = str(folder / "run")
    return {
        "simulate": ["simulate", str(out), "--interactions", "3000"],
        "prepare": ["prepare", str(folder / "s.yaml"), "--out", str(out)],
        "train": ["train", *train],
        "train --nproc": ["train", *train, "--nproc", "2"],
        "tune": ["tune", *train, "--trials", "2"],
        "evaluate": ["evaluate", run, "--k", "5,20"],
        "evaluate --nproc": ["evaluate", run, "--k", "5,20", "--nproc", "2"],
        "export": ["export", run, "--out", str(out)],
        "export --nproc": ["export", run, "--out", str(out), "--nproc", "2"],
        "retrieve-all": ["retrieve-all", run, "--out", str(out), "-k", "5"],
        "serve": ["serve", str(folder / "bundle"), "--port", "0"],
    }


NAMES = list(commands(Path(), Path(), []))
GOES_ON = {"train", "train --nproc", "tune"}
"""Commands that go on where they stopped, and say so in a line more."""


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", SAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_signal_at_every_moment_of_every_command(pipeline, adi, tiny, tmp_path: Path, name: str, number: int) -> None:
    """Half of the trials send it to the process, half to all of its processes, as a terminal does."""
    if not (pipeline.folder / "bundle").exists():
        assert adi("export", pipeline.folder / "run", "--out", pipeline.folder / "bundle").returncode == 0
    moments = random.Random(name)
    for trial in range(10):
        out = tmp_path / str(trial) / "out"
        out.parent.mkdir()
        words = [sys.executable, "-m", "adi", *commands(pipeline.folder, out, tiny)[name]]
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        time.sleep(moments.uniform(0.5, 12 if "nproc" in name else 6))
        if trial % 2:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, written = process.communicate(timeout=60)
        assert process.returncode in (128 + number, -number, 0), (trial, written)
        assert "Traceback" not in written
        assert "Exception ignored" not in written
        lines = [line for line in written.splitlines() if line.startswith(("adi: ", str(out)))]
        assert len(lines) <= (2 if name in GOES_ON else 1), written
        assert not list(out.parent.glob(".*.partial"))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["train", "export", "serve", "prepare"])
def test_a_signal_amid_every_import_of_a_command(pipeline, adi, tiny, tmp_path: Path, name: str) -> None:
    if not (pipeline.folder / "bundle").exists():
        assert adi("export", pipeline.folder / "run", "--out", pipeline.folder / "bundle").returncode == 0
    for trial in range(40):
        words = commands(pipeline.folder, tmp_path / str(trial), tiny)[name]
        code, written, _ = imports(words, 60 * trial)
        assert (code in (AFTER, -signal.SIGINT, 0), "Traceback" in written, "ignored" in written) == (
            True,
            False,
            False,
        ), (
            trial,
            written,
        )
