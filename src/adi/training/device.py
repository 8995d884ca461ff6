"""Where a training runs: on the CPU, or on a GPU that PyTorch sees."""

import re

import torch

from adi.errors import ArgumentError


def device_named(name: str) -> torch.device:
    """The device of a name: cpu, cuda, or cuda:N. Raises `AdiError` for others, and for a GPU that is not there."""
    missing = missing_gpu(name)
    if missing is not None:
        raise ArgumentError("device", f"{name}, and {missing}.")
    return torch.device(name)


def missing_gpu(name: str) -> str | None:
    """Why there is no GPU of a device's name; None where there is, and for the CPU. Raises `AdiError` for no name."""
    given = re.fullmatch(r"cpu|(cuda)(?::([0-9]+))?", name)
    if given is None:
        raise ArgumentError("device", f"'{name}' is none; give cpu, cuda, or cuda:N for the GPU of a number.")
    return _no_gpu(int(given[2] or 0)) if given[1] else None


def _no_gpu(number: int) -> str | None:
    """Why there is no GPU of a number; None where there is one."""
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is a build without CUDA"
    if not torch.cuda.is_available():
        return "PyTorch finds no GPU that it can use"
    if number >= torch.cuda.device_count():
        return f"there is no GPU {number}: PyTorch finds {torch.cuda.device_count()}, numbered from 0"
    return None
