"""Tensors whose rows are divided among processes, as checkpoints and weights hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adi.models.two_tower import TwoTower
from adi.nn.embedding import EmbeddingTables


@dataclass(frozen=True)
class Piece:
    """Rows of a tensor that this process has: row `first` and those after it."""

    first: int
    rows: Tensor


@dataclass(frozen=True)
class Divided:
    """A tensor of a given shape and type, of which this process has the rows of `pieces`, perhaps all, perhaps none."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    pieces: tuple[Piece, ...]

    @classmethod
    def over(
        cls,
        tables: EmbeddingTables,
        values: Sequence[Tensor],
        *,
        width: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> "Divided":
        """Numbers for each row of the tables, one or `width`; `values` are those of the shards of this process."""
        shape = (tables.num_rows,) if width is None else (tables.num_rows, width)
        pieces = zip(tables.shards, values, strict=True)
        return cls(shape, dtype, tuple(Piece(shard.first, rows) for shard, rows in pieces))


State = Mapping[str, Tensor | Divided]
"""Tensors by name."""

TABLES = "tables.weight"


def weights_of(model: TwoTower) -> dict[str, Tensor | Divided]:
    """All weights and statistics of a model, as `torch.nn.Module.state_dict` names them."""
    tables, weights = model.tables, dict(model.state_dict())
    weights.pop(TABLES, None)
    divided = Divided.over(tables, [shard.weight for shard in tables.shards], width=tables.embedding_dim)
    return {TABLES: divided, **weights}
