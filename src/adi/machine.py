"""Memory allocator and threads of the machine; the only module that reads or sets environment variables."""

import ctypes
import os
import platform
import signal
from functools import cache
from threading import Thread
from time import sleep
from typing import NamedTuple

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
_KEEP = 1 << 30


def yield_cores() -> None:
    """Make waiting OpenMP threads sleep instead of spin; call this before importing torch.

    By default, OpenMP threads spin while they wait for each other. On a core shared with another process, such as a
    second training, that made steps up to twenty times slower. On a free core, sleeping costs next to nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def tune_allocator() -> None:
    """Make glibc keep freed memory instead of returning it to the system immediately.

    Training frees and allocates large temporaries in every step. By default, glibc requests each from the system anew
    and touches it page by page, which made steps two to four times slower. Does nothing with other C libraries, or if
    the user has set one of glibc's ``MALLOC_`` environment variables.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    libc = ctypes.CDLL(None)
    for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        libc.mallopt(option, _KEEP)
    libc.mallopt(M_TOP_PAD, 64 << 20)


def configure_mlflow() -> None:
    """Let MLflow's client wait seconds for a server that does not answer, not hours, and print nothing.

    It would print the address of each ended run, on the standard output that is a command's result.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Place(NamedTuple):
    """The place of a process that torchrun has started.

    Attributes:
        rank: its number among all processes.
        local_rank: its number among those of this machine.
        local_count: the number of those of this machine.
        restarts: how often torchrun has started all of them anew, since one had failed.
    """

    rank: int
    local_rank: int
    local_count: int
    restarts: int


def torchrun() -> Place | None:
    """The place of this process, by the environment variables that torchrun sets; None without torchrun."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT")
    return Place(*(int(os.environ[name]) for name in names))


@cache
def end_with_launcher() -> None:
    """End this process, within a second, when the one that started it has ended, which nobody could stop otherwise.

    Call this where torchrun has started the process. A launcher that is killed cannot end its processes itself.
    """
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, daemon=True).start()


def share_threads(processes: int) -> None:
    """Give each of several processes that this one starts an equal share of the cores, unless the user has done so."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // processes)))
