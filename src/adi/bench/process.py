"""A piece of work in a process of its own, so that the memory it takes is its own.

The peak is of the process that works, from the kernel's own count (VmHWM), pages of mapped files included, and is set
back before the work begins. What `resource.getrusage` tells of a child would not do: it starts from the memory of the
process that started it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from adi.errors import AdiError
from adi.machine import available_cores


@dataclass(frozen=True)
class Work:
    """`place` names a function (module:function); called with `arguments`, it returns the work, a function of nothing.

    What the function imports and makes before it returns is not measured.
    """

    place: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Spent:
    """What a piece of work took: seconds; and bytes resident `before` it and at most, None where /proc does not say."""

    seconds: float
    before: int | None
    peak: int | None

    @property
    def added(self) -> int | None:
        """Bytes that the work took beside what was there before."""
        return None if self.before is None or self.peak is None else self.peak - self.before


def spend(work: Work, *, cores: int | None = None) -> Spent:
    """Do it in a new process, on so many of the cores that this one may use, or on all.

    Raises `AdiError` for more cores than there are, what the work raises of that kind, and where the process fails.
    """
    check_cores(cores)
    asked = json.dumps({"place": work.place, "arguments": dict(work.arguments), "cores": cores})
    done = subprocess.run([sys.executable, "-m", __name__], input=asked, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        killed = " The system ended it, which it does where memory runs out." if done.returncode == -9 else ""
        raise AdiError(f"the process of {work.place} ended with {done.returncode}.{killed}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if "fault" in answer:
        raise AdiError(answer["fault"])
    return Spent(**answer)


def check_cores(cores: int | None) -> None:
    """Raise `AdiError` unless a process can be kept to so many cores here."""
    if cores is None:
        return
    if not hasattr(os, "sched_setaffinity"):
        raise AdiError("this system does not keep a process to some of its cores. Leave --threads out.")
    if not 1 <= cores <= available_cores():
        raise AdiError(f"--threads: {cores}; this process may use {available_cores()} cores.")


def status_bytes(name: str, process: int | None = None) -> int | None:
    """Bytes that the kernel's status of a process, or of this one, gives a name; None where there is no such file."""
    status = Path(f"/proc/{process or 'self'}/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def _forget_peak() -> None:
    """Set the peak back to what is resident now; a system that does not let us keeps the peak of the process."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _measure(work: Callable[[], object]) -> Spent:
    _forget_peak()
    before, started = status_bytes("VmRSS"), perf_counter()
    work()
    return Spent(perf_counter() - started, before, status_bytes("VmHWM"))


def _main() -> None:
    """Do what standard input asks for; the answer is the last line of standard output."""
    asked = json.loads(sys.stdin.read())
    if asked["cores"] is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked["cores"]])
    module, _, name = asked["place"].partition(":")
    try:
        spent = _measure(getattr(import_module(module), name)(**asked["arguments"]))
    except AdiError as error:
        print(json.dumps({"fault": str(error)}))
    else:
        print(json.dumps({"seconds": spent.seconds, "before": spent.before, "peak": spent.peak}))


if __name__ == "__main__":
    _main()
