"""Encoders of histories by the name that the setting `behaviours` gives them."""

from collections.abc import Callable, Mapping
from typing import Any

from adi.nn.behaviours import HistoryAttention, HistoryEncoder, PoolingWeights, RecencyWeights
from adi.nn.history_transformer import HistoryTransformer

EncoderFactory = Callable[[int, int, Any], HistoryEncoder | PoolingWeights | None]
"""Makes the encoder of a feature from the longest history, the number of vectors wanted of each history (1, except in
models of several interests) and the settings. None: the mean of the history."""


def _mean(length: int, heads: int, settings: Any) -> None:
    return None


def _recency(length: int, heads: int, settings: Any) -> RecencyWeights:
    return RecencyWeights(length)


def _attention(length: int, heads: int, settings: Any) -> HistoryAttention:
    return HistoryAttention(length, settings.embedding_dim, heads=heads)


def _transformer(length: int, heads: int, settings: Any) -> HistoryTransformer:
    return HistoryTransformer(
        length,
        settings.embedding_dim,
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
