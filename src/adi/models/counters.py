"""Counters as scores: decayed clicks and co-clicks at the moment of each query."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.clicks import ClickLog
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.durations import Duration, in_log_time, log_time_text
from adi.errors import AdiError


def position_of(half_life: Duration, dataset: Dataset, half_lives: Sequence[float], *, name: str) -> int:
    """The position of a half-life among those that a dataset counts clicks with.

    Raises `AdiError` for a dataset without counters, and for a half-life that it does not count with.
    """
    manifest = dataset.manifest
    if manifest.trend is None or not half_lives:
        raise AdiError(
            f"{name}: {half_life} needs clicks by time, and {dataset.folder} has none. Give the schema a trend, and "
            "prepare again."
        )
    length = in_log_time(half_life, manifest.time, name=name)
    if length not in half_lives:
        known = ", ".join(log_time_text(life, manifest.time) for life in half_lives)
        raise AdiError(
            f"{name}: {half_life} is not one of the half-lives that {dataset.folder} counts with: {known}. "
            "Choose one of them, or add it to the schema and prepare again."
        )
    return tuple(half_lives).index(length)


def click_shares(queries: Queries, domain: int, items: Array, life: int) -> Array:
    """Each item's share of the domain's decayed clicks at the moment of each query (n, m)."""
    clicks, moments = known(queries)
    distinct, moment_of = np.unique(moments, return_inverse=True)
    counts = clicks.counts(domain, items, distinct)
    shares: Array = counts.in_domain[:, :, life] / np.maximum(counts.domain_total[:, life], 1e-9)[:, None]
    return shares[moment_of]


def co_click_shares(queries: Queries, items: Array, life: int) -> Array:
    """Each item's share of the decayed co-clicks of a query's last items, summed over these (n, m)."""
    clicks, moments = known(queries)
    pairs = clicks.co_clicks(queries.histories, moments, items)
    half = pairs.values.shape[1] // 2
    shares = np.zeros((len(queries), len(items)), dtype=np.float32)
    shares[pairs.rows, pairs.columns] = pairs.values[:, life] + pairs.values[:, half + life]
    return shares


def known(queries: Queries) -> tuple[ClickLog, Array]:
    """The clicks that are known to queries, and their moments. Raises `AdiError` if nothing is known."""
    if queries.clicks is None or queries.moments is None:
        raise AdiError("nothing is known of clicks by time. Prepare the data with trend in the schema.")
    return queries.clicks, queries.clicks.clipped(queries.moments)


def tensor(scores: Array) -> Tensor:
    """Scores (n, m) as a tensor of float32."""
    return torch.from_numpy(np.ascontiguousarray(scores, dtype=np.float32))
