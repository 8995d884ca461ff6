"""The items of a domain that are clicked most now, by the live counters of a bundle."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from adi.bundle.trends import Trends
from adi.data.dataset import Dataset
from adi.durations import log_time_text, microseconds
from adi.errors import AdiError
from adi.features.trends import LEAST_COUNT


def half_lives_of(dataset: Dataset) -> list[str]:
    """The half-lives of a dataset's counters as text, ascending; none for a dataset without trends."""
    manifest = dataset.manifest
    return [log_time_text(length, manifest.time) for length in (manifest.trend.half_lives if manifest.trend else ())]


def trending_of(
    dataset: Dataset, trends: Trends | None, domain: int, half_life: str | None = None, k: int = 20
) -> dict[str, Any]:
    """The content of a `TrendingResponse`: the `k` items of a domain with the most decayed clicks.

    The counts are those of the latest refresh, which lists use too. Raises `AdiError` for a bundle without trends and
    for a half-life that its counters do not have.
    """
    if trends is None:
        raise AdiError(
            "This bundle has no trends. Serve one of a run on data with trends: 'trend' in the schema asks for them."
        )
    trending = trends.trending[domain]
    number = _number_of(dataset, half_life)
    counts, total = trending.counts.in_domain[0, :, number], trending.counts.domain_total[0, number]
    order = np.argsort(-counts, kind="stable")[:k]
    top = order[counts[order] >= LEAST_COUNT]
    is_timestamp = dataset.manifest.time == "timestamp"
    ages = trending.counts.age[0, top] * trends.clicks.half_lives.min() / (1e6 if is_timestamp else 1.0)
    ids, shares = dataset.items.keys_of(trending.items[top]), counts[top] / total
    return {
        "domain": dataset.domains[domain],
        "half_life": half_lives_of(dataset)[number],
        "half_lives": half_lives_of(dataset),
        "moment": datetime.fromtimestamp(trending.known / 1e6, UTC).isoformat() if is_timestamp else trending.known,
        "available": trends.available,
        "items": [
            {"item": item, "count": count, "share": share, "age": age}
            for item, count, share, age in zip(ids, counts[top].tolist(), shares.tolist(), ages.tolist(), strict=True)
        ],
    }


def _number_of(dataset: Dataset, half_life: str | None) -> int:
    """The number of a half-life among those of a dataset's counters; by default that of the middle one."""
    assert dataset.manifest.trend is not None
    lengths = dataset.manifest.trend.half_lives
    if half_life is None:
        return (len(lengths) - 1) // 2
    try:
        length = microseconds(half_life) if dataset.manifest.time == "timestamp" else float(half_life)
        return lengths.index(length)
    except ValueError:
        raise AdiError(
            f"half_life: '{half_life}' is not one of the bundle's half-lives: {', '.join(half_lives_of(dataset))}."
        ) from None
