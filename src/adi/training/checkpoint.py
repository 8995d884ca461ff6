"""Checkpoints: the weights, optimizers, random state and progress of a training in one safetensors file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from adi.errors import AdiError
from adi.models.two_tower import TwoTower
from adi.processes.group import ALONE, Processes
from adi.training.divided import TABLES, Divided, weights_of
from adi.training.optimizers import TableOptimizer
from adi.training.tensor_file import read_tensors, save_tensors


@dataclass
class Progress:
    """The progress of a training: its position, the best validations so far, and the sums over the current epoch.

    `epoch` and `step` are the numbers of complete epochs, and of complete steps in the current one. `best_ndcg` and
    `best_epoch` have the key "mean", or with ``keep: domain`` the names of the domains. `norms` are those of the last
    steps, by the kind of their warning; `warnings` are those of the epoch (`adi.runs.health`), and `warned` has the
    subjects of all.
    """

    epoch: int = 0
    step: int = 0
    best_ndcg: dict[str, float] = field(default_factory=dict)
    best_epoch: dict[str, int] = field(default_factory=dict)
    loss_sum: float = 0.0
    samples: int = 0
    pseudo: int = 0
    seconds: float = 0.0
    norms: dict[str, list[float]] = field(default_factory=dict)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

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
        self.warnings = []


class Stateful(Protocol):
    """A part of a training, besides model and optimizers, whose state a checkpoint saves.

    Divided tensors of `state_dict` are read into their place; `load_state_dict` gets the others.
    """

    def state_dict(self) -> Mapping[str, Tensor | Divided]: ...
    def load_state_dict(self, state: Mapping[str, Tensor], /) -> object: ...


@dataclass(frozen=True)
class FailedBatch:
    """The batch of a step that failed, as a part of the checkpoint that keeps the state before it.

    `rows` (B,) are rows of the log, each in one of `domains` (B,).
    """

    rows: Tensor
    domains: Tensor

    def state_dict(self) -> Mapping[str, Tensor]:
        return {"rows": self.rows, "domains": self.domains}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load nothing: the loader makes the batch of the step anew."""


NO_PARTS: Mapping[str, Stateful] = {}


def save_checkpoint(
    path: Path,
    model: TwoTower,
    tables: TableOptimizer,
    dense: torch.optim.Optimizer,
    progress: Progress,
    parts: Mapping[str, Stateful] = NO_PARTS,
    *,
    processes: Processes = ALONE,
) -> None:
    """Save a training, such that it continues from the checkpoint exactly as if it had not been interrupted.

    Any number of processes can continue it. The random state is that of the first process; of several, the others draw
    other random numbers after an interruption than they would have without.

    Args:
        parts: further parts with state, by names without a dot.
    """
    tensors = _rows(model, tables, parts)
    tensors |= {f"model.{name}": value for name, value in weights_of(model).items() if isinstance(value, Tensor)}
    tensors["random"] = torch.get_rng_state()
    if model.tables.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(model.tables.device)
    for number, state in dense.state_dict()["state"].items():
        tensors |= {f"dense.{number}.{name}": value for name, value in state.items()}
    for name, part in parts.items():
        tensors |= {f"part.{name}.{key}": value for key, value in part.state_dict().items()}
    save_tensors(path, tensors, {"progress": json.dumps(asdict(progress))}, processes=processes)


def load_checkpoint(
    path: Path,
    model: TwoTower,
    tables: TableOptimizer,
    dense: torch.optim.Optimizer,
    parts: Mapping[str, Stateful] = NO_PARTS,
    *,
    processes: Processes = ALONE,
) -> Progress:
    """Load a checkpoint into a newly built model, optimizers and parts; returns the progress of the training."""
    if not path.exists():
        raise AdiError(f"{path}: there is no checkpoint to resume from. Train without --resume.")
    tensors, metadata = read_tensors(path, _rows(model, tables, parts))
    saved = json.loads(metadata["progress"])
    if set(saved) != {each.name for each in fields(Progress)}:
        raise AdiError(f"{path}: a checkpoint of another version of adi. Train without --resume.")
    progress = Progress(**saved)
    _load_weights(model, _with_prefix("model.", tensors))
    if processes.first:
        torch.set_rng_state(tensors["random"])
        if model.tables.device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], model.tables.device)
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("dense."):
            _, number, key = name.split(".")
            states.setdefault(int(number), {})[key] = tensor
    dense.load_state_dict({"state": states, "param_groups": dense.state_dict()["param_groups"]})
    for name, part in parts.items():
        part.load_state_dict(_with_prefix(f"part.{name}.", tensors))
    return progress


def _rows(model: TwoTower, tables: TableOptimizer, parts: Mapping[str, Stateful]) -> dict[str, Tensor | Divided]:
    """The tensors of a checkpoint with a value for each row of the tables; several processes each hold a part."""
    rows: dict[str, Tensor | Divided] = {
        f"model.{TABLES}": weights_of(model)[TABLES],
        "tables.state": tables.state_of_rows(),
    }
    for name, part in parts.items():
        rows |= {f"part.{name}.{key}": value for key, value in part.state_dict().items() if isinstance(value, Divided)}
    return rows


def _load_weights(model: TwoTower, weights: Mapping[str, Tensor]) -> None:
    """Load all weights but the tables."""
    missing = model.load_state_dict(dict(weights), strict=False)
    assert set(missing.missing_keys) <= {TABLES}
    assert not missing.unexpected_keys


def _with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
