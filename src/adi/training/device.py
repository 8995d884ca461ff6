"""The device of a training: the CPU, or a GPU that PyTorch can use."""

import re

import torch

from adi.errors import ArgumentError


def device_named(name: str) -> torch.device:
    """The device called cpu, cuda or cuda:N. Raises `ArgumentError` for another name, and for a missing GPU."""
    missing = missing_gpu(name)
    if missing is not None:
        raise ArgumentError("device", f"{name}, and {missing}.")
    return torch.device(name)


def missing_gpu(name: str) -> str | None:
    """The reason why a device's GPU cannot be used; None if it can, and for the CPU.

    Raises `ArgumentError` for a name that is not a device.
    """
    match = re.fullmatch(r"cpu|(cuda)(?::([0-9]+))?", name)
    if match is None:
        raise ArgumentError("device", f"'{name}' is not a device; give cpu, cuda, or cuda:N for GPU number N.")
    if not match[1]:
        return None
    number = int(match[2] or 0)
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) is a build without CUDA"
    if not torch.cuda.is_available():
        return "PyTorch finds no GPU that it can use"
    if number >= torch.cuda.device_count():
        return f"there is no GPU {number}: PyTorch finds {torch.cuda.device_count()}, numbered from 0"
    return None
