"""The bids of a domain's items, by which a request may weigh their scores: score + weight · log bid."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.errors import AdiError

MOST_WEIGHT = 1e6
"""Of a request: scores are float32, and beyond it nothing would remain of the model's."""


def log_bids(dataset: Dataset, domain: int, column: str) -> Array:
    """Log bids (m,) float32 of the items that can be retrieved in a domain, in their order.

    Args:
        column: the items' attribute that holds the bids, as it is in the domain.

    Raises `AdiError` for an attribute that is not there or no number, and where an item has no bid above 0.
    """
    items = dataset.corpora.retrievable(domain)
    values = dataset.attributes(domain, [column])[column].take(pa.array(items)).combine_chunks()
    kind, where = values.type, f"domain '{dataset.domains[domain]}', column '{column}'"
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise AdiError(f"{where}: is of type {kind}, and a bid is a number. Name another column, or make this numeric.")
    bids = pc.fill_null(pc.cast(values, pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(~(bids > 0))  # attributes have no infinity, and NaN is not above 0
    if len(wrong):
        first, key = values[wrong[0]].as_py(), dataset.items.key(items[wrong[0]])
        raise AdiError(
            f"{where}: {len(wrong)} of the {len(items)} items that can be retrieved there have no bid above 0; the "
            f"first is item '{key}' ({'missing' if first is None else first}). Give each a bid (1 adds nothing to a "
            "score), or take those without one out of the domain's corpus."
        )
    logs: Array = np.log(bids).astype(np.float32)
    return logs


def check_weight(weight: float) -> None:
    """Raises `AdiError` for a weight that is negative, above `MOST_WEIGHT` or no number."""
    if not 0 <= weight <= MOST_WEIGHT:
        raise AdiError(f"bid_weight = {weight}: give a number from 0, which leaves bids out, to {MOST_WEIGHT:,.0f}.")
