"""The state of a training in one safetensors file: weights, both optimizers, the random state, and where it stands."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from adi.errors import AdiError
from adi.models.two_tower import TwoTower
from adi.training.optimizers import RowwiseAdagrad


@dataclass
class Progress:
    """Where a training stands: the next step to take, and what early stopping knows."""

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    best_epoch: int = 0
    loss_sum: float = 0.0
    samples: int = 0
    seconds: float = 0.0


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, complete or not at all; raises `AdiError` where it cannot be written (a full disk)."""
    beside = path.with_name(f".{path.name}.partial")
    try:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, beside, metadata)
    except SafetensorError as error:  # what the library makes of the system's error
        beside.unlink(missing_ok=True)
        raise AdiError(f"{path}: cannot be written ({error}). Free some space, then go on with --resume.") from error
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)


def save_checkpoint(
    path: Path, model: TwoTower, tables: RowwiseAdagrad, dense: torch.optim.Optimizer, progress: Progress
) -> None:
    """Everything `load_checkpoint` needs to go on as if nothing had happened."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors["tables.state"] = tables.state
    tensors["random"] = torch.get_rng_state()
    for number, state in dense.state_dict()["state"].items():
        tensors |= {f"dense.{number}.{name}": value for name, value in state.items()}
    save_tensors(path, tensors, {"progress": json.dumps(asdict(progress))})


def load_checkpoint(path: Path, model: TwoTower, tables: RowwiseAdagrad, dense: torch.optim.Optimizer) -> Progress:
    """Put a saved state back into a freshly built model and optimizers; returns where the training stood."""
    if not path.exists():
        raise AdiError(f"{path}: there is no checkpoint to resume from. Train without --resume.")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        progress = Progress(**json.loads(file.metadata()["progress"]))
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    tables.state.copy_(tensors["tables.state"])
    torch.set_rng_state(tensors["random"])
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("dense."):
            _, number, key = name.split(".")
            states.setdefault(int(number), {})[key] = tensor
    dense.load_state_dict({"state": states, "param_groups": dense.state_dict()["param_groups"]})
    return progress
