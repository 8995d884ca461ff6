"""Memory allocator and threads of the machine; the only module that reads or sets environment variables."""

import ctypes
import os
import platform

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


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
