"""The groups of test queries that are measured apart: by the user's history, and by the popularity of the item."""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError, suggestion

HISTORY = (0, 1, 3, 6, 11, 21)
BREAKDOWNS = {
    "history_length": HISTORY,
    "history_in_domain": HISTORY,
    "item_popularity": (0, 1, 10, 100, 1000),
}
"""What queries are divided by, and where each group begins: items of the history, those of them that are of the domain
itself, training rows of the relevant item in the domain."""


@dataclass(frozen=True)
class Slice:
    """The queries of one group: what they are divided by, and the group's name among `labels`."""

    by: str
    label: str

    def __str__(self) -> str:
        return f"{self.by} {self.label}"


def labels(by: str) -> tuple[str, ...]:
    """The groups' names in order: ``0``, ``1–2``, ..., ``21+``."""
    begins = BREAKDOWNS[by]
    lasts = [begin - 1 for begin in begins[1:]]
    ranges = [str(begin) if begin == last else f"{begin}–{last}" for begin, last in zip(begins, lasts, strict=False)]
    return (*ranges, f"{begins[-1]}+")


def group_numbers(by: str, values: Array) -> Array:
    """The place among `labels` of the group that each of the values (n,) falls in, (n,)."""
    numbers: Array = np.searchsorted(BREAKDOWNS[by], values, side="right") - 1
    return numbers


def check_breakdown(by: str) -> None:
    """Raises `AdiError` for what queries are not divided by."""
    if by not in BREAKDOWNS:
        raise AdiError(f"by: '{by}' is not one of {', '.join(BREAKDOWNS)}.{suggestion(by, BREAKDOWNS)}")
