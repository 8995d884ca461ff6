"""Embedding tables packed into one matrix, with pooled lookups and row-sparse gradients.

The time and memory of a dense gradient grow with the size of a table, not of the batch. The matrix therefore takes no
part in autograd: a lookup gathers the distinct rows that the batch needs into a small leaf tensor, and the row-wise
optimizer (`adi.training.optimizers.RowwiseAdagrad`) writes the updated rows back.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from adi.nn.distinct import distinct
from adi.nn.weighted_bags import weighted_bags

_MAX_ROWS = (1 << 31) - 1

Bag = tuple[Tensor, Tensor | None]
"""One feature of R samples: table rows (T,), and offsets (R + 1,) of the bags; None if every bag has one row."""


@dataclass(frozen=True)
class Neighbours:
    """The neighbours that smooth a table: k rows (n, k) for each of its n rows, and weights (n, k) that sum to 1."""

    table: str
    rows: Tensor
    weights: Tensor


@dataclass(frozen=True)
class TableShard:
    """Rows of the packed tables that this process has: row `first` and those after it, `weight` (n, E)."""

    first: int
    weight: Tensor


class TablesFactory(Protocol):
    """Makes the tables of a model, with the arguments of `EmbeddingTables`."""

    def __call__(
        self, sizes: Mapping[str, int], embedding_dim: int, *, std: float, neighbours: Neighbours | None
    ) -> "EmbeddingTables": ...


class EmbeddingTables(nn.Module):
    """One table per name, packed one below the other (ADI eq. 6-7: all domains share every table).

    Args:
        sizes: number of rows of each table.
        embedding_dim: E.
        std: standard deviation of the normal distribution that initialises the rows.
        neighbours: smooths one table, such as that of the items by their neighbours in the graph of interactions: a
            looked-up row is half itself and half the weighted mean of its neighbours. This is one step of a light graph
            convolution on the rows of the batch (after LightGCN, He et al. 2020, https://arxiv.org/abs/2002.02126).

    Shapes:
        forward: bags of F features of R samples -> (R, F, E), the weighted sum of each bag's rows; 0 for an empty bag
    """

    neighbours: Tensor
    neighbour_weights: Tensor

    def __init__(
        self, sizes: Mapping[str, int], embedding_dim: int, *, std: float = 0.05, neighbours: Neighbours | None = None
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.first: dict[str, int] = {}
        self.num_rows = 0
        for name, size in sizes.items():
            self.first[name] = self.num_rows
            self.num_rows += size
        if self.num_rows > _MAX_ROWS:
            raise ValueError(f"the tables have {self.num_rows:,} rows in total; 32-bit row numbers allow {_MAX_ROWS:,}")
        self._create(std)
        self.smoothed = None if neighbours is None else neighbours.table
        if neighbours is not None:
            self.register_buffer("neighbours", neighbours.rows + self.first[neighbours.table])
            self.register_buffer("neighbour_weights", neighbours.weights)
        self.touched: list[tuple[Tensor, Tensor]] = []
        """The row numbers and gathered rows (leaf tensors) of each lookup since the optimizer's last step."""

    def _create(self, std: float) -> None:
        """Create the rows."""
        weight = torch.empty(self.num_rows, self.embedding_dim).normal_(std=std)
        self.weight = nn.Parameter(weight, requires_grad=False)

    @property
    def device(self) -> torch.device:
        """The device of the rows."""
        return self.weight.device

    @property
    def shards(self) -> Sequence[TableShard]:
        """The rows that this process has: all, unless the tables are divided among several."""
        return (TableShard(0, self.weight),)

    def forward(self, tables: Sequence[str], bags: Sequence[Bag], weights: Sequence[Tensor | None]) -> Tensor:
        """Pool the bags of feature f from table `tables[f]`, by `weights[f]` (T,), or by the mean if that is None."""
        source, index = self.gather(tables, [values for values, _ in bags])
        return self.pool(source, index, [offsets for _, offsets in bags], weights)

    def gather(self, tables: Sequence[str], values: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Gather the rows of each table's values into one matrix; returns it and each value's row in it (T,)."""
        if self.smoothed is None and not torch.is_grad_enabled():
            return self.weight, self._packed(tables, values)
        return self._gather_distinct(tables, values)

    def _packed(self, tables: Sequence[str], values: Sequence[Tensor]) -> list[Tensor]:
        """The rows of values in the packed tables (T,) int32."""
        return [(codes + self.first[table]).int() for table, codes in zip(tables, values, strict=True)]

    def _gather_distinct(self, tables: Sequence[str], values: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        rows, sources = self._packed(tables, values), list[Tensor]()
        index = list(rows)  # every entry is replaced below
        for smoothed in (False, True):
            features = [f for f, table in enumerate(tables) if (table == self.smoothed) is smoothed]
            if features:
                distinct_rows, inverse = distinct(torch.cat([rows[f] for f in features]))
                inverse = (inverse + sum(map(len, sources))).int()
                sources.append(self._smooth(distinct_rows.long()) if smoothed else self._rows(distinct_rows.long()))
                parts = inverse.split([len(rows[f]) for f in features])  # type: ignore[no-untyped-call]
                for f, part in zip(features, parts, strict=True):
                    index[f] = part
        return sources[0] if len(sources) == 1 else torch.cat(sources), index

    def _rows(self, rows: Tensor) -> Tensor:
        """Rows of the packed tables; with gradients enabled, as a leaf tensor that the optimizer reads."""
        embeddings = self.weight.detach()[rows]
        if torch.is_grad_enabled():
            self.touched.append((rows, embeddings.requires_grad_()))
        return embeddings

    def _smooth(self, rows: Tensor) -> Tensor:
        """Rows of the smoothed table, each halfway between itself and the mean of its neighbours."""
        table_rows = rows - self.first[str(self.smoothed)]
        neighbours = self.neighbours[table_rows]  # (n, k)
        needed, inverse = distinct(torch.cat([rows, neighbours.flatten()]))
        embeddings = self._rows(needed)
        means = weighted_bags(
            embeddings,
            inverse[len(rows) :].int(),
            torch.arange(0, neighbours.numel(), neighbours.shape[1], dtype=torch.int32, device=rows.device),
            self.neighbour_weights[table_rows].flatten(),
        )  # (n, E)
        return torch.lerp(embeddings[inverse[: len(rows)]], means, 0.5)

    @torch.no_grad()
    def lookup(self, rows: Tensor) -> Tensor:
        """The embeddings of rows of the packed tables, smoothed where a lookup smooths them (n, E)."""
        embeddings = self._rows(rows)
        if self.smoothed is not None:
            first = self.first[self.smoothed]
            smoothed = (rows >= first) & (rows < first + len(self.neighbours))
            embeddings[smoothed] = self._smooth(rows[smoothed])
        return embeddings

    def pool(
        self,
        source: Tensor,
        index: Sequence[Tensor],
        offsets: Sequence[Tensor | None],
        weights: Sequence[Tensor | None],
    ) -> Tensor:
        """Pool the rows of one or more features, as `gather` returns them, by bag: (R, F, E)."""
        lengths, scales = [], []
        for rows, bag_offsets, weight in zip(index, offsets, weights, strict=True):
            if bag_offsets is None:
                lengths.append(torch.ones(len(rows), dtype=torch.int64, device=rows.device))
                scales.append(source.new_ones(len(rows)) if weight is None else weight)
            else:
                lengths.append(bag_offsets.diff())
                scales.append(mean_weights(bag_offsets, len(rows), source.dtype) if weight is None else weight)
        # Sort bags by sample before pooling: reordering their indices is cheaper than reordering embeddings afterwards.
        order, starts = _sample_major(torch.stack(lengths), sum(map(len, index)))
        weights_in_order = torch.cat(scales).index_select(0, order)
        pooled = weighted_bags(source, torch.cat([*index])[order], starts, weights_in_order)  # (R * F, E)
        return pooled.view(-1, len(index), self.embedding_dim)


_FACTORY: ContextVar[TablesFactory] = ContextVar("tables", default=EmbeddingTables)


@contextmanager
def tables_made_by(factory: TablesFactory) -> Iterator[None]:
    """Within the context, models get their tables from a factory: tables too large for one process, for example."""
    token = _FACTORY.set(factory)
    try:
        yield
    finally:
        _FACTORY.reset(token)


def make_tables(
    sizes: Mapping[str, int], embedding_dim: int, *, std: float, neighbours: Neighbours | None
) -> EmbeddingTables:
    """The tables of a model: `EmbeddingTables`, unless `tables_made_by` says otherwise."""
    return _FACTORY.get()(sizes, embedding_dim, std=std, neighbours=neighbours)


def _sample_major(lengths: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """Reorder bags from feature-major to sample-major, given their lengths (F, R), `total` values in all.

    Returns the permutation of the values (T,), and the start of each bag in the new order (R * F,).
    """
    by_feature, by_sample = lengths.flatten(), lengths.T.flatten()
    old_starts = (by_feature.cumsum(0) - by_feature).view_as(lengths).T.flatten()
    starts = by_sample.cumsum(0) - by_sample
    shifts = torch.repeat_interleave(old_starts - starts, by_sample, output_size=total)  # (T,)
    return torch.arange(total, device=lengths.device) + shifts, starts.int()


def bag_of_each(offsets: Tensor, count: int) -> Tensor:
    """The index of the bag of each of `count` values (T,)."""
    lengths = offsets.diff()
    return torch.repeat_interleave(torch.arange(len(lengths), device=offsets.device), lengths, output_size=count)


def mean_weights(offsets: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Weights (T,) that turn the sum of a bag into its mean."""
    lengths = offsets.diff().to(dtype)
    return (1 / lengths)[bag_of_each(offsets, count)]
