"""Models whose embedding tables are divided among several processes."""

import warnings
from typing import Any

import torch

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.models.model import TrainedModel
from adi.models.two_tower import TwoTower
from adi.nn.embedding import tables_made_by
from adi.processes.group import Processes
from adi.training.optimizers import TableOptimizer
from adi.training.sharding import Sharding

MULTIPLE = 4
"""The widths of embeddings that the kernels of TorchRec take are multiples of this."""


def build_sharded(
    kind: TrainedModel,
    dataset: Dataset,
    settings: Any,
    processes: Processes,
    sharding: Sharding,
    device: torch.device,
    lr: float,
) -> tuple[TwoTower, TableOptimizer]:
    """The network with fresh weights, whose tables are divided, and the optimizer of its tables.

    Raises `AdiError` if TorchRec is not installed, or cannot have tables of this width.
    """
    try:
        with warnings.catch_warnings():  # of kernels that the build of fbgemm for CPUs does not have
            warnings.simplefilter("ignore", DeprecationWarning)
            from adi.training.sharded_tables import FusedAdagrad, ShardedTables
    except ModuleNotFoundError as error:
        raise AdiError(
            f"training in several processes needs TorchRec, and {error.name} is not installed. Install it: "
            "pip install 'adi-retrieval[distributed]' && pip install --no-deps torchrec==1.8.0"
        ) from error
    if settings.embedding_dim % MULTIPLE:
        raise AdiError(
            f"embedding_dim: {settings.embedding_dim}; in several processes it must be a multiple of {MULTIPLE}."
        )

    def tables(*args: Any, **options: Any) -> ShardedTables:
        return ShardedTables(*args, **options, processes=processes, sharding=sharding, lr=lr, device=device)

    with tables_made_by(tables):
        towers = kind.build(dataset, settings)
    assert isinstance(towers.tables, ShardedTables)
    return towers, FusedAdagrad(towers.tables)
