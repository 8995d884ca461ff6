"""A small log with time in which what is clicked changes every hour, and its prepared dataset."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from adi.data.dataset import Dataset
from adi.preparation.prepare import prepare

HOUR, NUM_HOURS = 3600, 12
NUM_USERS, NUM_ITEMS = 60, 24


def hot_item(hour: int) -> int:
    """The item that most users click in an hour."""
    return (5 * hour) % NUM_ITEMS


def clicks(seed: int = 0) -> pa.Table:
    """Clicks in seconds: two thirds are on the hour's hot item or the next in the catalogue, the others anywhere."""
    rng = np.random.default_rng(seed)
    hours = np.sort(rng.integers(0, NUM_HOURS, 1500))
    hot = np.array([hot_item(hour) for hour in hours])
    items = np.where(rng.random(len(hours)) < 0.67, (hot + rng.integers(0, 2, len(hours))) % NUM_ITEMS, -1)
    items = np.where(items < 0, rng.integers(0, NUM_ITEMS, len(hours)), items)
    return pa.table(
        {
            "user": [f"u{user}" for user in rng.integers(0, NUM_USERS, len(hours))],
            "item": [f"i{item}" for item in items],
            "domain": [("big", "small")[small] for small in (rng.random(len(hours)) < 0.1).astype(int)],
            "time": np.sort(hours * HOUR + rng.integers(0, HOUR, len(hours))),
            "device": [("phone", "tablet", None)[device] for device in rng.integers(0, 3, len(hours))],
            "battery": rng.integers(0, 100, len(hours)),
        }
    )


def trending_schema(**trend: Any) -> dict[str, Any]:
    """The schema, with more of `trend`."""
    return {
        "domains": {"column": "domain", "values": ["big", "small"]},
        "interactions": {"user": "user", "item": "item", "time": "time"},
        "features": {
            "user": [
                {"name": "history", "kind": "behaviours", "length": 10},
                {"name": "last", "kind": "behaviours", "length": 1},
            ],
            "item": [{"name": "item_id", "kind": "id"}],
        },
        "corpus": "all",
        "repeats": True,
        "trend": {"half_lives": [600, 3600], "delay": 10, "co_clicks": {"half_lives": [1800], "last": 3}, **trend},
        "split": {"kind": "time", "at": 9 * HOUR},
    }


def context_schema() -> dict[str, Any]:
    """The schema of the same clicks with audiences, context features and the ids of users."""
    schema = trending_schema(audience={"half_lives": [900, 3000]})
    schema["features"]["user"].append({"name": "user_id", "kind": "id"})
    schema["features"]["context"] = [
        {"name": "device", "kind": "categorical"},
        {"name": "charge", "kind": "numeric", "column": "battery", "buckets": 4},
    ]
    return schema


def _prepared(folder: Path, schema: dict[str, Any]) -> Dataset:
    prepare(schema, folder, tables={"interactions": clicks()}, progress=False)
    return Dataset(folder)


@pytest.fixture(scope="session")
def trending(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return _prepared(tmp_path_factory.mktemp("trending") / "prepared", trending_schema())


@pytest.fixture(scope="session")
def trending_audience(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same log, of which the schema asks for audiences, too."""
    schema = trending_schema(audience={"half_lives": [1800]})
    return _prepared(tmp_path_factory.mktemp("trending_audience") / "prepared", schema)


@pytest.fixture(scope="session")
def trending_context(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same log, of which the schema asks for audiences, context features and the ids of users."""
    return _prepared(tmp_path_factory.mktemp("trending_context") / "prepared", context_schema())
