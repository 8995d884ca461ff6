"""Models whose embedding tables are divided among several processes."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch

from adi.errors import AdiError
from adi.models.two_tower import TwoTower
from adi.nn.embedding import Neighbours, tables_made_by
from adi.processes.group import Processes
from adi.training.optimizers import TableOptimizer
from adi.training.sharding import Sharding

MULTIPLE = 4
"""The widths of embeddings that the kernels of TorchRec take are multiples of this."""


@contextmanager
def sharded_tables(
    processes: Processes, sharding: Sharding, device: torch.device, *, lr: float
) -> Iterator[Callable[[TwoTower], TableOptimizer]]:
    """Within the context, the tables of models are divided; yields what makes the optimizer of a model's tables.

    Raises `AdiError` if TorchRec is not installed, or cannot have tables of the model's width.
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

    def tables(
        sizes: Mapping[str, int], embedding_dim: int, *, std: float, neighbours: Neighbours | None
    ) -> ShardedTables:
        if embedding_dim % MULTIPLE:
            raise AdiError(f"embedding_dim: {embedding_dim}; in several processes it must be a multiple of {MULTIPLE}.")
        return ShardedTables(
            sizes,
            embedding_dim,
            std=std,
            neighbours=neighbours,
            processes=processes,
            sharding=sharding,
            lr=lr,
            device=device,
        )

    def optimizer(towers: TwoTower) -> TableOptimizer:
        assert isinstance(towers.tables, ShardedTables)
        return FusedAdagrad(towers.tables)

    with tables_made_by(tables):
        yield optimizer
