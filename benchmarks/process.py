"""Measuring in a process of its own, so that no other work's memory is counted.

The peak is the kernel's own count of the process (VmHWM), mapped files included, and is reset before the work begins.
`resource.getrusage` would not do: a child's count starts from the memory of the process that started it.
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

from adi.errors import AdiError, ArgumentError
from adi.machine import available_cores


@dataclass(frozen=True)
class Work:
    """Work for a new process, made by a function that is named as ``module:function``.

    The function is called with `arguments` and returns what is measured, a function without parameters. Its own imports
    and preparations are not measured.
    """

    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Usage:
    """Seconds that work took, and bytes resident before it and at its peak; None where there is no /proc."""

    seconds: float
    before: int | None
    peak: int | None

    @property
    def added(self) -> int | None:
        """Bytes that the work added to those resident before it, at its peak."""
        return None if self.before is None or self.peak is None else self.peak - self.before


def run_in_process(work: Work, *, cores: int | None = None) -> Usage:
    """Do the work in a new process, on the first `cores` of the cores that this process may use, or on all of them.

    Raises `AdiError` for more cores than there are, for an `AdiError` of the work, and for a process that fails.
    """
    check_cores(cores)
    request = json.dumps({"function": work.function, "arguments": dict(work.arguments), "cores": cores})
    process = subprocess.run([sys.executable, "-m", __name__], input=request, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        killed = " The system killed it, as it does when memory runs out." if process.returncode == -9 else ""
        raise AdiError(f"the process of {work.function} ended with {process.returncode}.{killed}")
    response = json.loads(process.stdout.splitlines()[-1])
    if "error" in response:
        raise AdiError(response["error"])
    return Usage(**response)


def check_cores(cores: int | None) -> None:
    """Raise `ArgumentError` unless a process can be kept to this many cores."""
    if cores is None:
        return
    if not hasattr(os, "sched_setaffinity"):
        raise ArgumentError("threads", "this system does not keep a process to some of its cores. Leave it out.")
    if not 1 <= cores <= available_cores():
        raise ArgumentError("threads", f"{cores}; this process may use {available_cores()} cores.")


def status_bytes(field: str, pid: int | None = None) -> int | None:
    """Bytes in a field of /proc/PID/status, of this process without `pid`; None where there is no such file.

    VmRSS is the memory that is resident, mapped files included, and VmHWM its peak.
    """
    status = Path(f"/proc/{pid or 'self'}/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def _reset_peak() -> None:
    """Set the peak to what is resident now. Where the system does not allow it, the peak is the whole process's."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _measure(work: Callable[[], object]) -> Usage:
    _reset_peak()
    before, start = status_bytes("VmRSS"), perf_counter()
    work()
    return Usage(perf_counter() - start, before, status_bytes("VmHWM"))


def _main() -> None:
    """Do the work that standard input describes; the last line of standard output is the response."""
    request = json.loads(sys.stdin.read())
    if request["cores"] is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: request["cores"]])
    module, _, function = request["function"].partition(":")
    try:
        usage = _measure(getattr(import_module(module), function)(**request["arguments"]))
    except AdiError as error:
        print(json.dumps({"error": str(error)}))
    else:
        print(json.dumps({"seconds": usage.seconds, "before": usage.before, "peak": usage.peak}))


if __name__ == "__main__":
    _main()
