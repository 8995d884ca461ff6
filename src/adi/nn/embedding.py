"""All embedding tables of a model in one matrix, pooled lookups, and gradients for the touched rows only.

A dense gradient of a table costs time and memory with the table's size, not the batch's. So the matrix is no autograd
parameter: a lookup gathers the distinct rows that the batch needs into a small leaf tensor, and the row-wise optimizer
(`adi.training.optimizers.RowwiseAdagrad`) writes the updated rows back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adi.nn.distinct import distinct
from adi.nn.weighted_bags import weighted_bags

_MOST = (1 << 31) - 1

Bag = tuple[Tensor, Tensor | None]
"""One feature of R samples: table rows (T,) and the offsets (R + 1,) that cut them, None if each sample has one row."""


@dataclass(frozen=True)
class Neighbours:
    """What one table is smoothed with: k others for each of its n rows (n, k), and weights (n, k) that sum to 1."""

    table: str
    rows: Tensor
    weights: Tensor


class EmbeddingTables(nn.Module):
    """One table for each name, packed one below the other (ADI eq. 6-7: all domains share every table).

    Args:
        sizes: rows of each table.
        embedding_dim: E.
        std: of the normal distribution that rows are drawn from at the start.
        neighbours: of the items, say, in the graph of who took them: wherever a row of that table is looked up, half
            of it is the weighted mean of its neighbours. One step of a light graph convolution, on the rows of the
            batch alone (after LightGCN, He et al. 2020, https://arxiv.org/abs/2002.02126).

    Shapes:
        forward: the bags of F features of R samples -> (R, F, E); a bag is its rows' weighted sum, an empty one is 0.
    """

    neighbours: Tensor
    neighbour_weights: Tensor

    def __init__(
        self, sizes: Mapping[str, int], embedding_dim: int, *, std: float = 0.05, neighbours: Neighbours | None = None
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.first: dict[str, int] = {}
        total = 0
        for name, size in sizes.items():
            self.first[name] = total
            total += size
        if total > _MOST:
            raise ValueError(f"the tables have {total:,} rows together; {_MOST:,} are possible, numbers of 32 bits")
        self.weight = nn.Parameter(torch.empty(total, embedding_dim).normal_(std=std), requires_grad=False)
        self.smoothed = None if neighbours is None else neighbours.table
        if neighbours is not None:
            self.register_buffer("neighbours", neighbours.rows + self.first[neighbours.table])
            self.register_buffer("neighbour_weights", neighbours.weights)
        self.touched: list[tuple[Tensor, Tensor]] = []
        """Row numbers and the gathered rows, leaves with a gradient, of each lookup since the optimizer's last step."""

    def forward(self, tables: Sequence[str], bags: Sequence[Bag], weights: Sequence[Tensor | None]) -> Tensor:
        """Pool feature f's bags from table `tables[f]`; `weights[f]` (T,) or, where None, the mean of each bag."""
        source, index = self.gather(tables, [values for values, _ in bags])
        return self.pool(source, index, [offsets for _, offsets in bags], weights)

    def gather(self, tables: Sequence[str], values: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """A matrix that has the rows of the given values of each table, and where in it they are (T,)."""
        rows = [(own + self.first[table]).int() for table, own in zip(tables, values, strict=True)]
        if self.smoothed is None and not torch.is_grad_enabled():
            return self.weight, rows
        sources: list[Tensor] = []
        index = list(rows)  # each is replaced
        for smoothed in (False, True):
            chosen = [number for number, table in enumerate(tables) if (table == self.smoothed) is smoothed]
            if chosen:
                own, place = distinct(torch.cat([rows[number] for number in chosen]))
                place = (place + sum(map(len, sources))).int()
                sources.append(self._smooth(own.long()) if smoothed else self._rows(own.long()))
                for number, part in zip(chosen, place.split([len(rows[number]) for number in chosen]), strict=True):  # type: ignore[no-untyped-call]
                    index[number] = part
        return sources[0] if len(sources) == 1 else torch.cat(sources), index

    def _rows(self, rows: Tensor) -> Tensor:
        """Rows of the packed tables; with gradients a leaf, which the optimizer reads."""
        found = self.weight.detach()[rows]
        if torch.is_grad_enabled():
            self.touched.append((rows, found.requires_grad_()))
        return found

    def _smooth(self, rows: Tensor) -> Tensor:
        """Rows of the smoothed table, each halfway between itself and its neighbours."""
        own = rows - self.first[str(self.smoothed)]
        around = self.neighbours[own]  # (n, k)
        needed, place = distinct(torch.cat([rows, around.flatten()]))
        found = self._rows(needed)
        means = weighted_bags(
            found,
            place[len(rows) :].int(),
            torch.arange(0, around.numel(), around.shape[1], dtype=torch.int32, device=rows.device),
            self.neighbour_weights[own].flatten(),
        )  # (n, E)
        return torch.lerp(found[place[: len(rows)]], means, 0.5)

    @torch.no_grad()
    def found(self, rows: Tensor) -> Tensor:
        """What a lookup of rows of the packed tables finds (n, E)."""
        found = self._rows(rows)
        if self.smoothed is not None:
            first = self.first[self.smoothed]
            inside = (rows >= first) & (rows < first + len(self.neighbours))
            found[inside] = self._smooth(rows[inside])
        return found

    def pool(
        self,
        source: Tensor,
        index: Sequence[Tensor],
        offsets: Sequence[Tensor | None],
        weights: Sequence[Tensor | None],
    ) -> Tensor:
        """What `gather` found for one or more features, cut into bags and summed by weight: (R, F, E)."""
        lengths, scales = [], []
        for own, cuts, weight in zip(index, offsets, weights, strict=True):
            if cuts is None:
                lengths.append(torch.ones(len(own), dtype=torch.int64, device=own.device))
                scales.append(self.weight.new_ones(len(own)) if weight is None else weight)
            else:
                lengths.append(cuts.diff())
                scales.append(mean_weights(cuts, len(own), self.weight.dtype) if weight is None else weight)
        # Bags in the order of the samples, not of the features: moving their values is less than moving embeddings.
        order, starts = _sample_after_sample(torch.stack(lengths), sum(map(len, index)))
        weights_in_order = torch.cat(scales).index_select(0, order)
        pooled = weighted_bags(source, torch.cat([*index])[order], starts, weights_in_order)  # (R * F, E)
        return pooled.view(-1, len(index), self.embedding_dim)


def _sample_after_sample(lengths: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """The order that puts the `total` values of R samples, so far feature after feature, sample after sample: (T,).

    `lengths` (F, R) are those of the bags. Also where each bag then begins (R * F,).
    """
    flat, own = lengths.flatten(), lengths.T.flatten()
    before = (flat.cumsum(0) - flat).view_as(lengths).T.flatten()  # where each bag, in its new place, began
    starts = own.cumsum(0) - own
    shifts = torch.repeat_interleave(before - starts, own, output_size=total)  # (T,)
    return torch.arange(total, device=own.device) + shifts, starts.int()


def bag_of_each(offsets: Tensor, count: int) -> Tensor:
    """The bag that each of `count` values is in (T,)."""
    lengths = offsets.diff()
    return torch.repeat_interleave(torch.arange(len(lengths), device=offsets.device), lengths, output_size=count)


def mean_weights(offsets: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Weights (T,) that turn a bag's sum into its mean."""
    lengths = offsets.diff().to(dtype)
    return (1 / lengths)[bag_of_each(offsets, count)]
