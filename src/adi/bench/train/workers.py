"""Trainings that run beside each other, each in its own process, one at a time."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adi.bench.process import status_bytes
from adi.errors import AdiError

PEERS = Path(__file__).parent / "peers"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ALLOCATOR = {name: str(1 << 30) for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")}
"""What `adi.machine.tune_allocator` sets, for every process alike: peers are as fast with it as they can be."""


class Worker:
    """A process that has said that it is ready, see `adi.bench.train.worker`."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name, self.process = name, process

    def do(self, work: str, number: int) -> None:
        """Have it do a piece of work so many times; raises `AdiError` where it ends instead."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{work} {number}\n")
        self.process.stdin.flush()
        self.hear("done")

    def calls(self, work: str, number: int) -> Callable[[int], object]:
        """What has it do a piece of work so many times whenever it is called, with whatever number."""
        return lambda _: self.do(work, number)

    def peak_mb(self) -> float | None:
        """The most of its memory that was resident so far; None where the system does not say."""
        most = status_bytes("VmHWM", self.process.pid)
        return None if most is None else round(most / 1e6, 1)

    def hear(self, word: str) -> None:
        """Wait for its next word, which is to be this one."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        if said != word:
            raise AdiError(f"{self.name}: the process ended, or said '{said}' for '{word}'; its own words are above.")


@contextmanager
def started(name: str, command: Sequence[str], threads: int) -> Iterator[Worker]:
    """Start a worker, and end it when the block does."""
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "TQDM_DISABLE": "1"}
    environment = {**os.environ, **ALLOCATOR, **dict.fromkeys(THREADS, str(threads)), **quiet}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            worker = Worker(name, process)
            worker.hear("ready")
            yield worker
        finally:
            process.kill()


def own_command(
    prepared: Path, model: str, as_masked: bool, training: dict[str, Any], threads: int, device: str
) -> list[str]:
    """What starts a training of adi."""
    asked = {
        "prepared": str(prepared),
        "model": model,
        "as_masked": as_masked,
        "training": training,
        "threads": threads,
        "device": device,
    }
    return [sys.executable, "-m", "adi.bench.train.worker", json.dumps(asked)]


def peer_command(
    python: Path, script: str, kind: str, rows: Path, batch_size: int, threads: int, device: str
) -> list[str]:
    """What starts a peer's, by the interpreter of its environment."""
    return [str(python), str(PEERS / f"peer_{script}.py"), str(rows), kind, str(batch_size), str(threads), device]


def check_python(python: Path, module: str, option: str) -> None:
    """Raise `AdiError` unless an interpreter is there and has a library."""
    try:
        done = subprocess.run([str(python), "-c", f"import {module}"], capture_output=True, text=True)
    except OSError as error:
        raise AdiError(f"{option}: {python} is no program to run ({error.strerror}).") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [""]
        raise AdiError(
            f"{option}: {python} does not import {module} ({said[0]}). docs/benchmarks.md has the lines that make "
            "such an environment."
        )
