"""The state of a training in one safetensors file: weights, both optimizers, the random state, and where it stands."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from adi.errors import AdiError
from adi.models.two_tower import TwoTower
from adi.training.optimizers import RowwiseAdagrad


@dataclass
class Progress:
    """Where a training stands: the next step to take, what early stopping knows, and the sums of the epoch under way.

    `best` and `best_epoch` are by the name of what is watched: "mean", or with ``keep: domain`` each domain's.
    """

    epoch: int = 0
    step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_epoch: dict[str, int] = field(default_factory=dict)
    loss_sum: float = 0.0
    samples: int = 0
    pseudo: int = 0
    seconds: float = 0.0


class Part(Protocol):
    """Something of a training that a checkpoint must hold beside model and optimizers."""

    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: Mapping[str, Tensor], /) -> object: ...


NO_PARTS: Mapping[str, Part] = {}


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
    path: Path,
    model: TwoTower,
    tables: RowwiseAdagrad,
    dense: torch.optim.Optimizer,
    progress: Progress,
    parts: Mapping[str, Part] = NO_PARTS,
) -> None:
    """Everything `load_checkpoint` needs to go on as if nothing had happened; `parts` by names without a dot."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors["tables.state"] = tables.state
    tensors["random"] = torch.get_rng_state()
    if tables.state.is_cuda:
        tensors["random.cuda"] = torch.cuda.get_rng_state(tables.state.device)
    for number, state in dense.state_dict()["state"].items():
        tensors |= {f"dense.{number}.{name}": value for name, value in state.items()}
    for part, content in parts.items():
        tensors |= {f"part.{part}.{name}": value for name, value in content.state_dict().items()}
    save_tensors(path, tensors, {"progress": json.dumps(asdict(progress))})


def load_checkpoint(
    path: Path,
    model: TwoTower,
    tables: RowwiseAdagrad,
    dense: torch.optim.Optimizer,
    parts: Mapping[str, Part] = NO_PARTS,
) -> Progress:
    """Put a saved state back into a freshly built model, optimizers and parts; returns where the training stood."""
    if not path.exists():
        raise AdiError(f"{path}: there is no checkpoint to resume from. Train without --resume.")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        progress = Progress(**json.loads(file.metadata()["progress"]))
    model.load_state_dict(_below("model.", tensors))
    tables.state.copy_(tensors["tables.state"])
    torch.set_rng_state(tensors["random"])
    if tables.state.is_cuda and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], tables.state.device)
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("dense."):
            _, number, key = name.split(".")
            states.setdefault(int(number), {})[key] = tensor
    dense.load_state_dict({"state": states, "param_groups": dense.state_dict()["param_groups"]})
    for part, content in parts.items():
        content.load_state_dict(_below(f"part.{part}.", tensors))
    return progress


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
