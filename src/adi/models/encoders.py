"""History encoders by name, for the setting `behaviours`."""

from collections.abc import Callable, Mapping
from typing import Any

from adi.nn.behaviours import HistoryAttention, HistoryEncoder, PoolingWeights, RecencyWeights
from adi.nn.history_transformer import HistoryTransformer

EncoderFactory = Callable[[int, int, Any], HistoryEncoder | PoolingWeights | None]
"""Builds the encoder of a behaviours feature from the maximum length of a history, the number of vectors per history
(1, except in multi-interest models) and the model's settings. Returns None for the plain mean of the history."""


def _mean(length: int, heads: int, settings: Any) -> None:
    return None


def _recency(length: int, heads: int, settings: Any) -> RecencyWeights:
    return RecencyWeights(length)


def _attention(length: int, heads: int, settings: Any) -> HistoryAttention:
    return HistoryAttention(length, settings.table_dim, heads=heads)


def _transformer(length: int, heads: int, settings: Any) -> HistoryTransformer:
    return HistoryTransformer(
        length,
        settings.table_dim,
        heads=heads,
        num_layers=settings.behaviours_layers,
        num_heads=settings.behaviours_heads,
        dropout=settings.behaviours_dropout,
    )


ENCODERS: Mapping[str, EncoderFactory] = {
    "mean": _mean,
    "recency": _recency,
    "attention": _attention,
    "transformer": _transformer,
}
