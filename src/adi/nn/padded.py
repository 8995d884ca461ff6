"""The encoders of behaviours on padded histories: as `adi.nn.behaviours`, in operations that an ONNX graph has.

`rows` (R, L, E) holds L slots for each of R samples, the newest item in the last one; `given` (R, L) is 1 for a slot
that holds an item and 0 for one that does not, whose row is 0. For the same weights and items these give what the
ragged encoders give; they are slower in training, where most slots would be empty.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.nn.behaviours import HistoryAttention, HistoryTransformer, RecencyWeights, TransformerLayer

NEVER = -1e30
"""A score that gets no weight, finite so that a history without items has no NaN."""


def mean(rows: Tensor, given: Tensor) -> Tensor:
    """The mean of each history (R, E), 0 for one without items."""
    return weighted(rows, given)


def by_recency(encoder: RecencyWeights, rows: Tensor, given: Tensor) -> Tensor:
    """`RecencyWeights` and the sum that it weighs: (R, E)."""
    return weighted(rows, given * _newest_last(encoder.scores, rows.shape[1]).exp())


def weighted(rows: Tensor, weights: Tensor) -> Tensor:
    """The mean of each history by weights (R, L), of which those of empty slots are 0: (R, E)."""
    total = weights.sum(dim=1, keepdim=True)
    return (rows * (weights / torch.where(total > 0, total, 1.0))[:, :, None]).sum(dim=1)


def encoded(encoder: nn.Module, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor:
    """What an encoder makes of histories, as the domain of each, f_domain (R, E), has it: (R, H, E)."""
    if isinstance(encoder, HistoryAttention):
        return _attention(encoder, rows, given, f_domain)
    assert isinstance(encoder, HistoryTransformer)
    x = rows + _newest_last(encoder.ages, rows.shape[1])
    for layer in encoder.layers:
        assert isinstance(layer, TransformerLayer)
        x = _layer(layer, x, given)
    return _attention(encoder.pool, x, given, f_domain)


def _newest_last(by_age: Tensor, slots: int) -> Tensor:
    """What is kept by age (length, ...), for each slot (slots, ...)."""
    return by_age[:slots].flip(0)


def _attention(encoder: HistoryAttention, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor:
    width = rows.shape[2]
    by_age = encoder.age(f_domain).unflatten(1, (encoder.length, encoder.heads))  # (R, length, H)
    wanted = encoder.content(f_domain).unflatten(1, (encoder.heads, width))  # (R, H, E)
    scores = by_age[:, : rows.shape[1]].flip(1) + rows @ wanted.transpose(1, 2)  # (R, L, H)
    weights = torch.where(given[:, :, None] > 0, scores, NEVER).softmax(dim=1) * given[:, :, None]
    return weights.transpose(1, 2) @ rows


def _layer(layer: TransformerLayer, x: Tensor, given: Tensor) -> Tensor:
    projected = layer.project(layer.before_attention(x)).unflatten(2, (3, layer.num_heads, -1))
    query, key, value = (part.transpose(1, 2) for part in projected.unbind(2))  # each (R, heads, L, .)
    empty = ((1 - given) * NEVER)[:, None, None]
    attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=empty)
    x = x + layer.attended(attended.transpose(1, 2).flatten(2))
    output: Tensor = x + layer.narrow(layer.widen(layer.before_network(x)).relu())
    return output
