"""Logs of experiments that are small enough to be counted by hand."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

START = datetime(2026, 11, 1, tzinfo=UTC)

Row = dict[str, Any]


def shown(user: str | None, arm: str | None, hours: float, items: Sequence[str] = ("i", "j"), **more: Any) -> Row:
    """A list that an arm served to a user, so many hours after the start."""
    row = {"time": START + timedelta(hours=hours), "user": user, "experiment": "x", "arm": arm, "assignment": "hash"}
    row |= {"version": f"of {arm}", "place": 0, "domain": "search", "k": len(items), "filter": None, "bid_weight": 0.0}
    return row | {"items": list(items), "scores": [0.0] * len(items)} | more


def clicked(user: str | None, hours: float, charge: float | None = 1.0, **more: Any) -> Row:
    """A click of a user, so many hours after the start."""
    return {
        "user": user,
        "item": "i",
        "domain": "search",
        "time": START + timedelta(hours=hours),
        "charge": charge,
    } | more


class Logs(NamedTuple):
    """The folder of exposures, and the table of clicks."""

    exposures: Path
    clicks: Path


WriteLogs = Callable[[Sequence[Row], Sequence[Row]], Logs]


def many(
    users: int, *, uplift: float = 0.0, days: int = 2, domain: str = "search", seed: int = 0, ctr: float = 0.3
) -> tuple[list[Row], list[Row]]:
    """Lists and clicks of so many users, alternately of control and treatment, whose CTR has an uplift."""
    rng = np.random.default_rng(seed)
    exposures, clicks = [], []
    for user in range(users):
        arm = ("control", "treatment")[user % 2]
        for hours in rng.uniform(0.0, 24.0 * days, 1 + rng.poisson(2.0)):
            exposures.append(shown(f"{domain}-{user}", arm, hours, domain=domain))
            if rng.random() < ctr * (1.0 + uplift * (arm == "treatment")):
                price = float(rng.exponential())
                clicks.append(clicked(f"{domain}-{user}", hours + 0.01, price, domain=domain))
    return exposures, clicks
