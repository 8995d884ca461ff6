"""Training processes that take turns: the side of the benchmark that starts them and tells them what to do."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from adi.errors import AdiError, ArgumentError
from benchmarks.process import status_bytes
from benchmarks.report import announce
from benchmarks.timing import Task

PEERS = Path(__file__).parent / "peers"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "TQDM_DISABLE": "1",
    # What `adi.machine.tune_allocator` sets, for every process alike: it makes other libraries faster too.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}


class Worker:
    """A process that is ready to train (`benchmarks.training.worker`)."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name, self.process = name, process

    def do(self, work: str, number: int) -> None:
        """Have a piece of work done so many times; raises `AdiError` where the process ends instead."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{work} {number}\n")
        self.process.stdin.flush()
        self.expect("done")

    def task(self, work: str, number: int) -> Task:
        """A task that has a piece of work done so many times."""
        return lambda call: self.do(work, number)

    def peak_mb(self) -> float | None:
        """The peak of the resident memory so far; None where there is no /proc."""
        peak = status_bytes("VmHWM", self.process.pid)
        return None if peak is None else round(peak / 1e6, 1)

    def expect(self, word: str) -> None:
        """Wait for the process to write a line; raises `AdiError` for any other than `word`."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if line != word:
            raise AdiError(f"{self.name}: the process ended, or wrote '{line}' for '{word}'; its errors are above.")


@contextmanager
def worker(name: str, command: Sequence[str], threads: int) -> Iterator[Worker]:
    """Start a worker, wait until it is ready, and kill it at the end of the block."""
    announce(f"starting {name}")
    environment = {**os.environ, **ENVIRONMENT, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            ready = Worker(name, process)
            ready.expect("ready")
            yield ready
        finally:
            process.kill()


def adi_command(
    prepared: Path, model: str, *, masked: bool, training: Mapping[str, int], threads: int, device: str
) -> list[str]:
    """The command of a worker that trains a model of adi; the arguments are those of `benchmarks.training.worker`."""
    arguments = {
        "prepared": str(prepared), "model": model, "masked": masked, "training": training, "threads": threads,
        "device": device,
    }  # fmt: skip
    return [sys.executable, "-m", "benchmarks.training.worker", json.dumps(arguments)]


def peer_command(
    python: Path, script: str, kind: str, arrays: Path, batch_size: int, threads: int, device: str
) -> list[str]:
    """The command of a worker that trains a model of another library, by the interpreter of its environment."""
    return [str(python), str(PEERS / f"peer_{script}.py"), str(arrays), kind, str(batch_size), str(threads), device]


def check_python(parameter: str, python: Path, module: str) -> None:
    """Raise `ArgumentError` unless `python` is an interpreter that can import a module."""
    try:
        process = subprocess.run([str(python), "-c", f"import {module}"], capture_output=True, text=True)
    except OSError as error:
        raise ArgumentError(parameter, f"{python} is no program to run ({error.strerror}).") from None
    if process.returncode:
        reason = process.stderr.strip().splitlines()[-1:] or [""]
        raise ArgumentError(
            parameter,
            f"{python} does not import {module} ({reason[0]}). 'make peers' makes such an environment; see "
            "docs/benchmarks.md.",
        )
