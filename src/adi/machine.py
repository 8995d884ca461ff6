"""The machine a command runs on: memory allocator and threads. The one place that looks at the environment."""

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
_KEEP = 1 << 30


def yield_cores() -> None:
    """Let threads that wait give their core away; call it before torch is imported.

    OpenMP's threads by default spin while they wait for each other. On a core that something else needs too, such as a
    second training, a step then took up to twenty times longer; sleeping costs next to nothing on a free one.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def tune_allocator() -> None:
    """Make glibc keep freed memory instead of returning it at once.

    Training frees and takes large temporaries at every step; by default each is fetched anew from the system and
    touched page by page, which made steps two to four times slower. Other C libraries are left alone, and so is an
    allocator that the user has tuned by glibc's own environment variables.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    libc = ctypes.CDLL(None)
    for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        libc.mallopt(option, _KEEP)
    libc.mallopt(M_TOP_PAD, 64 << 20)


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
