"""Logs of shown items with probabilities: one that is counted by hand, and a bandit whose truth is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
Columns = dict[str, np.ndarray]


def shown_item(request: str, **more: Any) -> Row:
    """A request of ann in search whose item both arms show with probability 1/2."""
    row = {"request": request, "user": "ann", "domain": "search", "propensity": 0.5, "target": 0.5, "click": 0}
    return row | more


_MODELS = ("predicted", "expected", "predicted_charge", "expected_charge")

BY_HAND = [
    shown_item("1", target=0.25, click=1, charge=2.0) | dict(zip(_MODELS, (0.5, 0.4, 1.0, 0.5), strict=True)),
    shown_item("2", charge=0.0) | dict(zip(_MODELS, (0.2, 0.4, 0.5, 0.5), strict=True)),
    shown_item("3", user="bob", propensity=0.25, click=1, charge=3.0)
    | dict(zip(_MODELS, (0.5, 0.6, 2.0, 1.0), strict=True)),
    shown_item("4", user="bob", domain="feed", target=0.0, click=1, charge=1.0)
    | dict(zip(_MODELS, (0.5, 0.1, 1.0, 0.1), strict=True)),
]
"""Weights 1/2, 1, 2 and 0."""


def write_shown(path: Path, rows: Sequence[Row] | Columns) -> Path:
    pq.write_table(pa.table(dict(rows)) if isinstance(rows, Mapping) else pa.Table.from_pylist(list(rows)), path)
    return path


LOGGING = np.array([0.5, 0.3, 0.2, 0.0])
TARGET = np.array([0.2, 0.3, 0.5, 0.0])
"""Probabilities of four items in the two arms of the bandit."""

CTR = np.array([0.1, 0.2, 0.4, 0.9])
PRICE = np.array([4.0, 2.0, 1.0, 5.0])


def bandit(users: int, seed: int, *, target: np.ndarray = TARGET, predicted: np.ndarray = CTR / 2.0) -> Columns:
    """Requests of users with different tastes, from 1 to 5 of each: items by `LOGGING`, clicks by `CTR` times the
    user's taste, whose mean is 1."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), rng.integers(1, 6, users))
    count = len(user)
    item = rng.choice(4, count, p=LOGGING)
    click = rng.random(count) < CTR[item] * rng.uniform(0.5, 1.5, users)[user]
    return {
        "request": np.arange(count),
        "user": user,
        "domain": np.full(count, "search"),
        "propensity": LOGGING[item],
        "target": target[item],
        "click": click.astype(int),
        "charge": click * PRICE[item],
        "supported": np.full(count, target[LOGGING > 0.0].sum()),
        "predicted": predicted[item],
        "expected": np.full(count, target @ predicted),
        "predicted_charge": predicted[item] * PRICE[item],
        "expected_charge": np.full(count, target @ (predicted * PRICE)),
    }
