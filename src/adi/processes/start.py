"""Joining the processes that torchrun has started, and leaving them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.nn

from adi.errors import AdiError
from adi.machine import end_with_launcher, torchrun
from adi.processes.group import ALONE, Processes

TIMEOUT = 600.0
"""Seconds after which a process that waits for another gives up."""


@contextmanager
def joined(device: torch.device, *, timeout: float = TIMEOUT) -> Iterator[Processes]:
    """Within the context, this process can talk to the others that torchrun has started; without torchrun, it is alone.

    They talk by gloo, and about tensors on GPUs by nccl. At its end no thread of gloo is left: one that lets go of a
    tensor while Python ends would abort the process. A group ends its threads when nothing holds it any more. The
    functions of `torch.distributed.nn` hold the group that there is when they are imported, as a default; so they are
    imported above, when there is none.
    """
    process = torchrun()
    if process is None:
        yield ALONE
        return
    joins = not dist.is_initialized()
    if joins:
        end_with_launcher()
        backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
        dist.init_process_group(backend, timeout=timedelta(seconds=timeout))
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), on_this_machine=process.local_count)
    finally:
        if joins:
            dist.destroy_process_group()
            gc.collect()  # cycles, such as those of an error's frames, may hold the group


def device_of_process(device: torch.device) -> torch.device:
    """The GPU of this process where torchrun has started one process for each GPU of a machine, else the device."""
    process = torchrun()
    if process is None or device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", process.local_rank)


def check_same(processes: Processes, what: dict[str, object]) -> None:
    """Raise `AdiError` in all processes unless all were started with the same values, and with the same code."""
    if not processes.several:
        return
    described = {"code of adi": code_version(), **{name: repr(value) for name, value in what.items()}}
    of_all = processes.objects(described)
    for rank, other in enumerate(of_all):
        for name, value in of_all[0].items():
            if other[name] != value:
                raise AdiError(
                    f"process {rank} has another {name} than process 0: {other[name]}, not {value}. "
                    "Start all with the same code, data and settings."
                )


def code_version() -> str:
    """A digest of the package's source files."""
    digest = sha256()
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
