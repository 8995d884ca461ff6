"""A transformer over a history, in a ragged form for training and a padded form for export (`adi.nn.behaviours`)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.nn.behaviours import NEVER, HistoryAttention, HistoryEncoder, ages, newest_last
from adi.nn.dropout import Dropout
from adi.nn.embedding import bag_of_each


class HistoryTransformer(HistoryEncoder):
    """A small transformer over a history, pooled by `HistoryAttention`.

    It has pre-norm layers of bidirectional self-attention; a learned embedding of each item's age is added to the
    items. The output projections of both blocks of a layer start at 0, so that the encoder starts as the mean of the
    history and learns what the mean misses.

    Args:
        length, embedding_dim, heads: see `HistoryAttention`.
        num_layers: number of transformer layers.
        num_heads: attention heads of each layer; must divide embedding_dim.
        dropout: probability of zeroing an output of the attention or the feed-forward block, in training.

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

    def padded(self, rows: Tensor, mask: Tensor, f_domain: Tensor) -> Tensor:
        x = rows + newest_last(self.ages, rows.shape[1])
        for layer in self.layers:
            x = layer.padded(x, mask)  # type: ignore[operator]
        return self.pool.padded(x, mask, f_domain)


class Block(NamedTuple):
    """n histories padded to L positions, as index tensors between the ragged values (T,) and the padded block (n, L).

    `indices` (n, L) is the ragged value at each position, and `mask` (n, L) tells whether attention may see it. The t
    values of these histories are at `ragged` (t,) among all T values, and at `padded` (t,) in the flattened block.
    """

    indices: Tensor
    mask: Tensor
    ragged: Tensor
    padded: Tensor


def padded_blocks(offsets: Tensor) -> list[Block]:
    """Group histories into blocks of lengths up to 1, 2, 4, 8 …, so that padding at most doubles the values."""
    lengths = offsets.diff()
    longest = int(lengths.max()) if len(lengths) else 0
    blocks = []
    size = 1
    while size < 2 * longest:
        histories = torch.nonzero((lengths > size // 2) & (lengths <= size))  # (n, 1)
        if len(histories):
            position = torch.arange(min(size, longest), device=offsets.device)
            mask = position < lengths[histories]  # (n, L)
            indices = (offsets[histories] + position).where(mask, offsets[histories])
            blocks.append(Block(indices, mask, indices[mask], torch.nonzero(mask.flatten()).squeeze(1)))
        size *= 2
    return blocks


def one_block(offsets: Tensor, length: int, count: int) -> list[Block]:
    """Put all histories, of `count` values and at most `length` each, into one block, without synchronising a GPU."""
    if not count:
        return []
    position, values = torch.arange(length, device=offsets.device), torch.arange(count, device=offsets.device)
    mask = position < offsets.diff()[:, None]  # (R, L)
    mask[:, 0] = True  # an empty history attends to another's value, whose result is not used: this avoids NaN
    bag = bag_of_each(offsets, count)
    indices = (offsets[:-1, None] + position).clamp(max=count - 1)
    return [Block(indices, mask, values, bag * length + values - offsets[bag])]


class TransformerLayer(nn.Module):
    """A pre-norm layer: self-attention, then two linear layers with a ReLU in between. x (T, E), blocks -> (T, E)."""

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

    def padded(self, x: Tensor, mask: Tensor) -> Tensor:
        """Apply the layer to padded histories: x (R, L, E), mask (R, L) -> (R, L, E)."""
        projected = self.project(self.before_attention(x)).unflatten(2, (3, self.num_heads, -1))
        query, key, value = (part.transpose(1, 2) for part in projected.unbind(2))  # each (R, heads, L, .)
        bias = ((1 - mask) * NEVER)[:, None, None]
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = x + self.attended(attended.transpose(1, 2).flatten(2))
        output: Tensor = x + self.narrow(self.widen(self.before_network(x)).relu())
        return output

    def _attend(self, projected: Tensor, blocks: list[Block]) -> Tensor:
        """Self-attention within each history: queries, keys and values (T, 3 E) -> (T, E). Only this step pads."""
        width = projected.shape[1] // 3
        positions, results = [], []
        for block in blocks:
            n, length = block.indices.shape
            padded = projected.index_select(0, block.indices.flatten())  # (n L, 3 E)
            query, key, value = padded.view(n, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)  # (n, heads, L, .)
            attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=block.mask[:, None, None])
            positions.append(block.ragged)
            results.append(attended.transpose(1, 2).reshape(n * length, width).index_select(0, block.padded))
        output = projected.new_zeros(len(projected), width)
        return output.index_copy(0, torch.cat(positions), torch.cat(results)) if blocks else output
