"""A transformer over a history, in a ragged form for training and a padded one for export (`adi.nn.behaviours`)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.nn.behaviours import NEVER, HistoryAttention, HistoryEncoder, ages, newest_last
from adi.nn.dropout import Dropout
from adi.nn.embedding import bag_of_each


class HistoryTransformer(HistoryEncoder):
    """A small transformer over a history, read out by `HistoryAttention`.

    Pre-norm layers of self-attention in both directions, with a learned embedding of each item's age added to the
    items. The last step of each half of a layer starts at 0, so that the whole starts as the mean of the history, and
    learns what that misses.

    Args:
        length, embedding_dim, heads: as of the `HistoryAttention` that reads it out.
        num_layers: of the transformer.
        num_heads: of each layer; they divide embedding_dim.
        dropout: probability of zeroing an output of either half of a layer, in training.

    Shapes:
        rows (T, E), offsets (R + 1,), f_domain (R, E) -> (R, H, E)
    """

    def __init__(
        self,
        length: int,
        embedding_dim: int,
        *,
        heads: int = 1,
        num_layers: int = 1,
        num_heads: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.length = length
        self.ages = nn.Parameter(torch.zeros(length, embedding_dim))
        self.layers = nn.ModuleList(TransformerLayer(embedding_dim, num_heads, dropout) for _ in range(num_layers))
        self.pool = HistoryAttention(length, embedding_dim, heads=heads)

    def forward(self, rows: Tensor, offsets: Tensor, f_domain: Tensor) -> Tensor:
        on_cpu = offsets.device.type == "cpu"
        blocks = padded_blocks(offsets) if on_cpu else one_block(offsets, self.length, len(rows))
        age = ages(offsets, bag_of_each(offsets, len(rows)))
        x = rows + functional.embedding(age, self.ages)  # (T, E)
        for layer in self.layers:
            x = layer(x, blocks)
        pooled: Tensor = self.pool(x, offsets, f_domain)
        return pooled

    def padded(self, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor:
        x = rows + newest_last(self.ages, rows.shape[1])
        for layer in self.layers:
            x = layer.padded(x, given)  # type: ignore[operator]
        return self.pool.padded(x, given, f_domain)


class Block(NamedTuple):
    """n histories, padded to L values: `place` (n, L), where in (T,) each is, and `kept` (n, L), which are looked at.

    Of the t values that the histories have, `values` (t,) says where in (T,) each is, `inside` (t,) where in (n L,).
    """

    place: Tensor
    kept: Tensor
    values: Tensor
    inside: Tensor


def padded_blocks(offsets: Tensor) -> list[Block]:
    """The histories in blocks of lengths up to 1, 2, 4, 8 ..., so that padding at most doubles the values."""
    lengths = offsets.diff()
    longest = int(lengths.max()) if len(lengths) else 0
    blocks = []
    size = 1
    while size < 2 * longest:
        own = torch.nonzero((lengths > size // 2) & (lengths <= size))  # (n, 1)
        if len(own):
            place = torch.arange(min(size, longest), device=offsets.device)
            kept = place < lengths[own]  # (n, L)
            place = (offsets[own] + place).where(kept, offsets[own])
            blocks.append(Block(place, kept, place[kept], torch.nonzero(kept.flatten()).squeeze(1)))
        size *= 2
    return blocks


def one_block(offsets: Tensor, length: int, count: int) -> list[Block]:
    """All histories, of `count` values and at most `length` each, in one block: on a device, that is not waited for."""
    if not count:
        return []
    column, values = torch.arange(length, device=offsets.device), torch.arange(count, device=offsets.device)
    kept = column < offsets.diff()[:, None]  # (R, L)
    kept[:, 0] = True  # an empty history looks at another's value: what comes of it is not used, and no NaN
    bag = bag_of_each(offsets, count)
    place = (offsets[:-1, None] + column).clamp(max=count - 1)
    return [Block(place, kept, values, bag * length + values - offsets[bag])]


class TransformerLayer(nn.Module):
    """A pre-norm layer: self-attention, then two linear layers with a ReLU between. x (T, E), blocks -> (T, E)."""

    def __init__(self, embedding_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.before_attention = nn.LayerNorm(embedding_dim)
        self.project = nn.Linear(embedding_dim, 3 * embedding_dim)
        self.attended = nn.Linear(embedding_dim, embedding_dim)
        self.before_network = nn.LayerNorm(embedding_dim)
        self.widen = nn.Linear(embedding_dim, 2 * embedding_dim)
        self.narrow = nn.Linear(2 * embedding_dim, embedding_dim)
        self.dropout = Dropout(dropout)
        for last in (self.attended, self.narrow):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, blocks: list[Block]) -> Tensor:
        attention = self._attend(self.project(self.before_attention(x)), blocks)
        x = x + self.dropout(self.attended(attention))
        hidden = self.widen(self.before_network(x)).relu()
        output: Tensor = x + self.dropout(self.narrow(hidden))
        return output

    def padded(self, x: Tensor, given: Tensor) -> Tensor:
        """The layer on padded histories: x (R, L, E), given (R, L) -> (R, L, E)."""
        projected = self.project(self.before_attention(x)).unflatten(2, (3, self.num_heads, -1))
        query, key, value = (part.transpose(1, 2) for part in projected.unbind(2))  # each (R, heads, L, .)
        empty = ((1 - given) * NEVER)[:, None, None]
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=empty)
        x = x + self.attended(attended.transpose(1, 2).flatten(2))
        output: Tensor = x + self.narrow(self.widen(self.before_network(x)).relu())
        return output

    def _attend(self, projected: Tensor, blocks: list[Block]) -> Tensor:
        """Each history to itself: queries, keys and values (T, 3 E) -> (T, E). Only this step is padded."""
        width = projected.shape[1] // 3
        places, results = [], []
        for block in blocks:
            n, length = block.place.shape
            padded = projected.index_select(0, block.place.flatten())  # (n L, 3 E)
            query, key, value = padded.view(n, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)  # (n, heads, L, .)
            attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=block.kept[:, None, None])
            places.append(block.values)
            results.append(attended.transpose(1, 2).reshape(n * length, width).index_select(0, block.inside))
        output = projected.new_zeros(len(projected), width)
        return output.index_copy(0, torch.cat(places), torch.cat(results)) if blocks else output
