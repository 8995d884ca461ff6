"""Bids of a domain's items, which a request can add to their scores: score + weight · log bid."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.errors import AdiError, ArgumentError

MOST_WEIGHT = 1e6
"""The largest weight of a request: scores are float32, and beyond it nothing would remain of the model's score."""


def log_bids(dataset: Dataset, domain: int, column: str) -> Array:
    """Log bids (m,) float32 of the items that can be retrieved in a domain, in the order of their numbers.

    Args:
        dataset: the prepared dataset.
        domain: the domain's number.
        column: the item attribute that holds the bids.

    Raises:
        AdiError: if the attribute is missing or not numeric, or if an item has no bid above 0.
    """
    items = dataset.corpora.retrievable(domain)
    values = dataset.attributes(domain, [column])[column].take(pa.array(items)).combine_chunks()
    column_type, where = values.type, f"domain '{dataset.domains[domain]}', column '{column}'"
    is_number = pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal
    if not any(check(column_type) for check in is_number):
        raise AdiError(
            f"{where}: is of type {column_type}, and a bid is a number. Name another column, or make this numeric."
        )
    bids = pc.fill_null(pc.cast(values, pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False)
    invalid = np.flatnonzero(~(bids > 0))  # attributes have no infinity, and NaN is not above 0
    if len(invalid):
        first, key = values[invalid[0]].as_py(), dataset.items.key(items[invalid[0]])
        raise AdiError(
            f"{where}: {len(invalid)} of the {len(items)} items that can be retrieved there have no bid above 0; the "
            f"first is item '{key}' ({'missing' if first is None else first}). Give each a bid (1 adds nothing to a "
            "score), or take those without one out of the domain's corpus."
        )
    logs: Array = np.log(bids).astype(np.float32)
    return logs


def check_weight(weight: float) -> None:
    """Raise `ArgumentError` for a `bid_weight` that is negative, above `MOST_WEIGHT` or not a number."""
    if not 0 <= weight <= MOST_WEIGHT:
        raise ArgumentError("bid_weight", f"{weight}; give a number from 0, which ignores bids, to {MOST_WEIGHT:,.0f}.")
