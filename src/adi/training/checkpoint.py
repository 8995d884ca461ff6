"""Checkpoints: the weights, optimizers, random state and progress of a training in one safetensors file."""

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
    """The progress of a training: its position, the best validations so far, and the sums over the current epoch.

    `epoch` and `step` are the numbers of complete epochs, and of complete steps in the current one. `best` and
    `best_epoch` have the key "mean", or with ``keep: domain`` the names of the domains.
    """

    epoch: int = 0
    step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_epoch: dict[str, int] = field(default_factory=dict)
    loss_sum: float = 0.0
    samples: int = 0
    pseudo: int = 0
    seconds: float = 0.0

    @property
    def loss(self) -> float:
        """The mean loss of the epoch's samples so far."""
        return self.loss_sum / self.samples

    @property
    def samples_per_second(self) -> float:
        return self.samples / self.seconds

    def add_step(self, *, loss: float, samples: int, pseudo: int, seconds: float) -> None:
        """Add a step with the mean `loss` of its `samples`, of which `pseudo` are pseudo-positives."""
        self.step += 1
        self.samples += samples
        self.pseudo += pseudo
        self.loss_sum += loss * samples
        self.seconds += seconds

    def start_epoch(self) -> None:
        """Reset the step and the sums of the epoch."""
        self.step, self.samples, self.pseudo, self.loss_sum, self.seconds = 0, 0, 0, 0.0, 0.0


class Stateful(Protocol):
    """A part of a training, besides model and optimizers, whose state a checkpoint saves."""

    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: Mapping[str, Tensor], /) -> object: ...


NO_PARTS: Mapping[str, Stateful] = {}


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file atomically. Raises `AdiError` if it cannot be written (a full disk)."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, partial, metadata)
    except SafetensorError as error:  # raised by safetensors for errors of the operating system
        partial.unlink(missing_ok=True)
        raise AdiError(f"{path}: cannot be written ({error}). Free some space, then continue with --resume.") from error
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def save_checkpoint(
    path: Path,
    model: TwoTower,
    tables: RowwiseAdagrad,
    dense: torch.optim.Optimizer,
    progress: Progress,
    parts: Mapping[str, Stateful] = NO_PARTS,
) -> None:
    """Save a training, such that it continues from the checkpoint exactly as if it had not been interrupted.

    `parts` are further parts with state, by names without a dot.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors["tables.state"] = tables.state
    tensors["random"] = torch.get_rng_state()
    if tables.state.is_cuda:
        tensors["random.cuda"] = torch.cuda.get_rng_state(tables.state.device)
    for number, state in dense.state_dict()["state"].items():
        tensors |= {f"dense.{number}.{name}": value for name, value in state.items()}
    for name, part in parts.items():
        tensors |= {f"part.{name}.{key}": value for key, value in part.state_dict().items()}
    save_tensors(path, tensors, {"progress": json.dumps(asdict(progress))})


def load_checkpoint(
    path: Path,
    model: TwoTower,
    tables: RowwiseAdagrad,
    dense: torch.optim.Optimizer,
    parts: Mapping[str, Stateful] = NO_PARTS,
) -> Progress:
    """Load a checkpoint into a newly built model, optimizers and parts; returns the progress of the training."""
    if not path.exists():
        raise AdiError(f"{path}: there is no checkpoint to resume from. Train without --resume.")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        progress = Progress(**json.loads(file.metadata()["progress"]))
    model.load_state_dict(_with_prefix("model.", tensors))
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
    for name, part in parts.items():
        part.load_state_dict(_with_prefix(f"part.{name}.", tensors))
    return progress


def _with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
