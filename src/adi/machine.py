"""The machine a command runs on: memory allocator, threads, device. The one place that looks at the environment."""

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
_KEEP = 1 << 30


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


def device(name: str | None = None) -> str:
    """The device to compute on: `name`, or the first CUDA device where there is one, else the CPU."""
    import torch

    return name or ("cuda" if torch.cuda.is_available() else "cpu")
