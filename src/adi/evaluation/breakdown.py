"""Groups of test queries that are measured separately: by the user's history and by the item's popularity."""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.errors import ArgumentError, suggestion

HISTORY = (0, 1, 3, 6, 11, 21)
BREAKDOWNS = {
    "history_length": HISTORY,
    "history_in_domain": HISTORY,
    "item_popularity": (0, 1, 10, 100, 1000),
    "item_in_history": (0, 1),
}
"""The first number of each group, by what queries are grouped by: items in the history, items in the history from the
query's domain, training rows of the relevant item in the domain, and how often that item is in the history."""


@dataclass(frozen=True)
class Slice:
    """The queries of one group: the breakdown `by`, and the group's `label` in it."""

    by: str
    label: str

    def __str__(self) -> str:
        return f"{self.by} {self.label}"


def labels(by: str) -> tuple[str, ...]:
    """The labels of a breakdown's groups in order: ``0``, ``1–2``, ..., ``21+``."""
    firsts = BREAKDOWNS[by]
    lasts = [first - 1 for first in firsts[1:]]
    ranges = [str(first) if first == last else f"{first}–{last}" for first, last in zip(firsts, lasts, strict=False)]
    return (*ranges, f"{firsts[-1]}+")


def group_numbers(by: str, values: Array) -> Array:
    """The index among `labels` of the group that each of the values (n,) belongs to, (n,)."""
    numbers: Array = np.searchsorted(BREAKDOWNS[by], values, side="right") - 1
    return numbers


def check_breakdown(by: str) -> None:
    """Raises `ArgumentError` for a name that is not in `BREAKDOWNS`."""
    if by not in BREAKDOWNS:
        raise ArgumentError("by", f"'{by}' is not one of {', '.join(BREAKDOWNS)}.{suggestion(by, BREAKDOWNS)}")
