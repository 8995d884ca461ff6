"""The slots of a query: its table rows in a matrix of fixed width, which a graph can take."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.features.bags import ArrayBags, FeatureArrays
from adi.schema import Strict


class Slots(Strict):
    """The slots of one feature: how many, and where the rows of its table begin in the packed tables."""

    feature: str
    first: int
    width: int


@dataclass(frozen=True)
class Filled:
    """The rows of R queries in S slots (R, S), and which slots hold one, 1 or 0 (R, S). Empty ones name row 0."""

    rows: Array
    given: Array


def fill(bags: FeatureArrays, slots: Sequence[Slots]) -> Filled:
    """Put each feature's values into its slots, the last value in the last one; more values than slots lose the first.

    Shapes:
        bags of R queries -> (R, S), S the sum of the widths
    """
    count = _count(bags[slots[0].feature])
    rows = np.zeros((count, sum(own.width for own in slots)), dtype=np.int64)
    given = np.zeros(rows.shape, dtype=np.float32)
    end = 0
    for own in slots:
        end += own.width
        bag = bags[own.feature]
        if bag.offsets is None:
            rows[:, end - 1], given[:, end - 1] = bag.values + own.first, 1
            continue
        offsets = bag.offsets
        query = np.repeat(np.arange(count), np.diff(offsets))
        age = offsets[query + 1] - 1 - np.arange(len(query))
        kept = age < own.width
        place = query[kept], end - 1 - age[kept]
        rows[place], given[place] = bag.values[kept] + own.first, 1
    return Filled(rows, given)


def _count(bag: ArrayBags) -> int:
    return len(bag.values) if bag.offsets is None else len(bag.offsets) - 1
