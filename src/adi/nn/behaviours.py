"""Encoders of behaviours: from the items of a history, however long, to one vector.

Histories are ragged. `rows` (T, E) holds the embedded items of R samples, one history after the other and the newest
item last; `offsets` (R + 1,) cuts them. The `age` of an item is its place from the end, 0 for the newest. An empty
history is 0, and what a sample gets does not depend on the other samples.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.nn.dropout import Dropout
from adi.nn.embedding import bag_of_each


def ages(offsets: Tensor, bag: Tensor) -> Tensor:
    """The age of each value (T,), given the bag that each is in."""
    return offsets[1:][bag] - 1 - torch.arange(len(bag), device=offsets.device)


def softmax_in_bags(scores: Tensor, bag: Tensor, num_bags: int) -> Tensor:
    """Weights (T, H) from scores (T, H), such that the weights of each bag sum to 1."""
    index = bag[:, None].expand_as(scores)
    with torch.no_grad():
        largest = scores.new_zeros(num_bags, scores.shape[1]).scatter_reduce(
            0, index, scores, "amax", include_self=False
        )
    weights = (scores - largest[bag]).exp()
    totals = weights.new_zeros(num_bags, scores.shape[1]).index_add(0, bag, weights)
    return weights / totals.index_select(0, bag)


class RecencyWeights(nn.Module):
    """Weights that fade with an item's age, learned; they sum to 1 in each history. Starts as the mean.

    ``forward(offsets (R + 1,), count) -> (T,)``; they need no rows, so that a lookup can pool by them at once.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(length))

    def forward(self, offsets: Tensor, count: int) -> Tensor:
        bag = bag_of_each(offsets, count)  # (T,)
        # Not by [...]: threads would add up its gradient in whichever order they come, and no two runs would be equal.
        weight = self.scores.exp().index_select(0, ages(offsets, bag))
        total = weight.new_zeros(len(offsets) - 1).index_add(0, bag, weight)  # (R,)
        return weight / total.index_select(0, bag)


class HistoryAttention(nn.Module):
    """The mean of a history, weighted by what the domain looks at: recent items, certain items.

        y = sum_t softmax(s)_t x_t,   s_t = a_age(t) . (f, 1) + x_t . C (f, 1)

    f is the domain indicator's embedding, the softmax goes over the history, a (one vector for each age) and C are
    learned. Starts as the mean; of several heads, each starts at looking for items of its own.

    Args:
        length: the longest history.
        embedding_dim: E.
        heads: H, how many such means are taken, each with an a and a C of its own.

    Shapes:
        rows (T, E), offsets (R + 1,), f_domain (R, E) -> (R, H, E)

    Example:
        >>> rows, offsets = torch.tensor([[1.0, 2.0], [3.0, 4.0], [7.0, 7.0]]), torch.tensor([0, 2, 2, 3])
        >>> HistoryAttention(length=2, embedding_dim=2)(rows, offsets, torch.ones(3, 2)).squeeze(1).tolist()
        [[2.0, 3.0], [0.0, 0.0], [7.0, 7.0]]
    """

    def __init__(self, length: int, embedding_dim: int, *, heads: int = 1) -> None:
        super().__init__()
        self.length, self.heads = length, heads
        self.age = nn.Linear(embedding_dim, length * heads)
        self.content = nn.Linear(embedding_dim, heads * embedding_dim)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        if heads > 1:  # equal ones would get equal gradients, and stay so
            nn.init.normal_(self.content.bias)

    def forward(self, rows: Tensor, offsets: Tensor, f_domain: Tensor) -> Tensor:
        num, width = f_domain.shape
        bag = bag_of_each(offsets, len(rows))  # (T,)
        place = bag * self.length + ages(offsets, bag)
        scores = self.age(f_domain).view(-1, self.heads).index_select(0, place)  # (T, H)
        wanted = self.content(f_domain).view(num, self.heads, width)  # (R, H, E)
        scores = scores + (wanted.index_select(0, bag) * rows[:, None]).sum(dim=2)
        weights = softmax_in_bags(scores, bag, num)
        each = torch.arange(len(rows), device=rows.device)
        pooled = [
            functional.embedding_bag(each, rows, offsets[:-1], mode="sum", per_sample_weights=weights[:, head])
            for head in range(self.heads)
        ]
        return torch.stack(pooled, dim=1)  # (R, H, E)


class HistoryTransformer(nn.Module):
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
