"""Settings of a two-tower model that is small enough to be trained and exported in many tests."""

from collections.abc import Mapping
from typing import Any

SMALL: Mapping[str, Any] = {
    "embedding_sets": 1, "embedding_dim": 6, "dim": 4, "networks": (5,), "epochs": 1, "batch_size": 8,
    "embedding_std": 1.0,
}  # fmt: skip
