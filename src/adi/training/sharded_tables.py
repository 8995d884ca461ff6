"""Embedding tables divided among processes by TorchRec, which looks rows up and updates them where they are."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import group
from torchrec.distributed.comm_ops import set_gradient_division
from torchrec.distributed.embedding import EmbeddingCollectionSharder, ShardedEmbeddingCollection
from torchrec.distributed.planner import EmbeddingShardingPlanner
from torchrec.distributed.planner.stats import NoopEmbeddingStats
from torchrec.distributed.planner.storage_reservations import FixedPercentageStorageReservation
from torchrec.distributed.planner.types import KernelConfig, ParameterConstraints, TopologyFactory, TrainerConfig
from torchrec.distributed.types import EmbeddingModuleShardingPlan, ShardingEnv
from torchrec.modules.embedding_configs import EmbeddingConfig
from torchrec.modules.embedding_modules import EmbeddingCollection
from torchrec.optim.apply_optimizer_in_backward import apply_optimizer_in_backward
from torchrec.optim.rowwise_adagrad import RowWiseAdagrad
from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

from adi.nn.embedding import EmbeddingTables, Neighbours, TableShard
from adi.processes.group import Processes
from adi.training.divided import Divided
from adi.training.initial_rows import normal_rows
from adi.training.optimizers import ADAGRAD_EPS, BeforeUpdate, summed_gradients
from adi.training.sharding import Sharding

TYPES: dict[Sharding, list[str]] = {
    "auto": ["row_wise", "table_wise"],  # not column_wise, whose Adagrad has one state for each part of a row
    "row_wise": ["row_wise"],
    "table_wise": ["table_wise"],
}

logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)  # warns of names that TorchRec uses

RESERVED = 0.15
"""The share of memory that the planner leaves to everything but the tables."""

ELEMENTS_AT_ONCE = 1 << 24
"""Initial weights drawn at a time; a multiple of 16, so that they are those of a single draw."""


class ShardedTables(EmbeddingTables):
    """Tables whose rows are in several processes; each has the shards that the plan gives it.

    A lookup is collective: all processes call it together. TorchRec updates rows in the backward pass of a lookup, by
    row-wise Adagrad with the sum of the gradients of all processes. A step looks some rows up in both towers, and is to
    update them once: the lookups of a step therefore have no backward pass, and `update` looks all their rows up once
    more. Initial weights are those of tables in one process.

    Args:
        lr: of the optimizer.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        embedding_dim: int,
        *,
        std: float = 0.05,
        neighbours: Neighbours | None = None,
        processes: Processes,
        sharding: Sharding,
        lr: float,
        device: torch.device,
    ) -> None:
        self._processes, self._sharding, self._lr, self._device = processes, sharding, lr, device
        self._sizes = dict(sizes)
        self.before_update: BeforeUpdate | None = None
        super().__init__(sizes, embedding_dim, std=std, neighbours=neighbours)

    def _create(self, std: float) -> None:
        self._names = [f"table{number}" for number in range(len(self._sizes))]  # a feature's name may have a dot
        self._firsts = torch.tensor(list(self.first.values()), device=self._device)
        with torch.random.fork_rng(devices=[]):  # TorchRec draws weights of its own
            sharded = self._sharded()
        sharded.register_post_lookup_tracker_fn(self._looked_up)
        self._collection = (sharded,)  # in a tuple: its weights are no parameters for the other optimizer
        self._shards: list[TableShard] = []
        self._states: list[Tensor] = []
        self._shard_of: dict[str, int] = {}
        states = sharded.fused_optimizer.state_dict()["state"]
        for key, weights in sharded.state_dict().items():
            name = key.split(".")[1]
            first = self._firsts[self._names.index(name)].item()
            for number, shard in enumerate(weights.local_shards()):
                self._shard_of[name] = len(self._shards)
                self._shards.append(TableShard(first + shard.metadata.shard_offsets[0], shard.tensor.detach()))
                self._states.append(states[key][f"{name}.momentum1"].local_shards()[number].tensor)
        self._draw(std)

    def _sharded(self) -> ShardedEmbeddingCollection:
        """The tables with some weights, each where the plan has it."""
        configs = [
            EmbeddingConfig(name=name, feature_names=[name], num_embeddings=rows, embedding_dim=self.embedding_dim)
            for name, rows in zip(self._names, self._sizes.values(), strict=True)
        ]
        collection = EmbeddingCollection(tables=configs, device=torch.device("meta"))
        apply_optimizer_in_backward(RowWiseAdagrad, collection.parameters(), {"lr": self._lr, "eps": ADAGRAD_EPS})
        set_gradient_division(False)  # the loss is the sum of the losses of all processes, not their mean
        sharder = EmbeddingCollectionSharder()
        plan = self._plan(collection, sharder)
        sharded: ShardedEmbeddingCollection = sharder.shard(
            collection, plan, ShardingEnv.from_process_group(group.WORLD), self._device
        )
        return sharded

    def _plan(
        self, collection: EmbeddingCollection, sharder: EmbeddingCollectionSharder
    ) -> EmbeddingModuleShardingPlan:
        """The process of each table, or of each part of it."""
        planner = EmbeddingShardingPlanner(
            topology=TopologyFactory.create_topology(
                TrainerConfig(world_size=self._processes.count, local_world_size=self._processes.on_this_machine),
                kernel_config=KernelConfig(compute_device=self._device.type),
            ),
            constraints={name: ParameterConstraints(sharding_types=TYPES[self._sharding]) for name in self._names},
            storage_reservation=FixedPercentageStorageReservation(RESERVED),
            stats=NoopEmbeddingStats(),
        )
        module = nn.ModuleDict({"tables": collection})
        plan = planner.collective_plan(module, [sharder], group.WORLD).get_plan_for_module("tables")
        assert isinstance(plan, EmbeddingModuleShardingPlan)
        return plan

    def _draw(self, std: float) -> None:
        """Draw the initial weights of all tables as one process would, and keep those of the shards."""
        rows_at_once = max(1, ELEMENTS_AT_ONCE // (16 * self.embedding_dim)) * 16
        for first, drawn in normal_rows(self.num_rows, self.embedding_dim, std, rows_at_once):
            for shard in self._shards:
                start = max(first, shard.first)
                stop = min(first + len(drawn), shard.first + len(shard.weight))
                if start < stop:
                    shard.weight[start - shard.first : stop - shard.first] = drawn[start - first : stop - first]

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def shards(self) -> Sequence[TableShard]:
        return self._shards

    def gather(self, tables: Sequence[str], values: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        return self._gather_distinct(tables, values)

    def _rows(self, rows: Tensor) -> Tensor:
        with torch.no_grad():
            embeddings = self._lookup(rows)
        if torch.is_grad_enabled():
            self.touched.append((rows, embeddings.requires_grad_()))
        return embeddings

    def update(self, rows: Tensor, gradient: Tensor) -> None:
        """Apply the gradients (n, E) of distinct rows (n,), which several processes may have, to the rows."""
        self._lookup(rows).backward(gradient)  # type: ignore[no-untyped-call]

    def _lookup(self, rows: Tensor) -> Tensor:
        """The embeddings (n, E) of distinct rows of the packed tables, ascending (n,)."""
        firsts = torch.searchsorted(rows, self._firsts)
        lengths = torch.diff(firsts, append=firsts.new_tensor([len(rows)]))
        in_table = rows - self._firsts.repeat_interleave(lengths, output_size=len(rows))
        features = KeyedJaggedTensor(keys=self._names, values=in_table, lengths=lengths.int())
        (sharded,) = self._collection
        context = sharded.create_context()
        looked_up = sharded.compute_and_output_dist(context, sharded.input_dist(context, features).wait().wait())
        return torch.cat([looked_up[name].values() for name in self._names])

    def _looked_up(
        self, features: KeyedJaggedTensor, embeddings: Tensor, module: ShardedEmbeddingCollection, states: Any
    ) -> None:
        """Tell which rows of this process an update changes: `features` are those that all processes look up here."""
        if self.before_update is None or not torch.is_grad_enabled():
            return
        for name in features.keys():  # noqa: SIM118 (not a mapping)
            rows = features[name].values()
            if len(rows):
                self.before_update(self._shard_of[name], torch.unique(rows))


class FusedAdagrad:
    """The optimizer of sharded tables, row-wise Adagrad by TorchRec (`TableOptimizer`)."""

    def __init__(self, tables: ShardedTables) -> None:
        self.tables = tables

    @property
    def before_update(self) -> BeforeUpdate | None:
        """See `TableOptimizer`."""
        return self.tables.before_update

    @before_update.setter
    def before_update(self, function: BeforeUpdate | None) -> None:
        self.tables.before_update = function

    def step(self) -> None:
        """See `TableOptimizer.step`."""
        self.tables.update(*summed_gradients(self.tables))

    def state_of_rows(self) -> Divided:
        """See `TableOptimizer.state_of_rows`."""
        return Divided.over(self.tables, self.tables._states)
