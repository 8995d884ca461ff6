"""Real queries of a domain, by which an export is compared with its run."""

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.manifest import NULL_ROW
from adi.data.queries import Queries


def sample_queries(dataset: Dataset, domain: int, most: int) -> Queries:
    """Return real queries of a domain: some of its test rows, evenly spaced, or some of all users if it has none."""
    rows = dataset.rows("test")
    rows = rows[dataset.targets("test", rows)[2] == domain]
    if len(rows):
        return dataset.queries("test", rows[evenly_spaced(len(rows), most)])
    users = evenly_spaced(dataset.manifest.users, most)
    context = {feature.name: np.full(len(users), NULL_ROW) for feature in dataset.manifest.side("context")}
    return dataset.latest(users, np.full(len(users), domain), context)


def evenly_spaced(count: int, most: int) -> Array:
    """Return at most `most` of the row numbers below `count`, evenly spaced."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)
