"""Defaults that depend on the data, each with its reason: rules on what the manifest knows."""

from typing import Any, NamedTuple

from adi.data.manifest import Manifest
from adi.durations import as_duration

OFF = "off"

UNIFORM, UNIFORM_WITH_TRENDS = 1000, 250
"""Negatives from the corpus."""

UNKNOWN_ITEMS_WITH_TRENDS = 0.1

MOST_ITEMS, MOST_PAIRS = 200_000, 1e8
"""Up to so many items, and pairs of rows of one user, similar items are counted in seconds."""

MUCH_HELD_OUT = 0.02
"""A model is trained again on all rows where more of some domain's are validation rows."""


class Default(NamedTuple):
    """A setting's value for some data, and the reason in words."""

    name: str
    value: Any
    reason: str


def defaults_for(manifest: Manifest) -> tuple[Default, ...]:
    """The defaults of the settings of training that depend on the data."""
    trend = manifest.trend
    if trend is None:
        by_trend = (
            Default("uniform", UNIFORM, "no trends"),
            Default("unknown_items", 0.0, "no trends"),
            Default("row_half_life", OFF, "no trends"),
        )
    else:
        longest = as_duration(max(trend.half_lives), manifest.time)
        by_trend = (
            Default("uniform", UNIFORM_WITH_TRENDS, "trends: most items of a corpus are not clicked now"),
            Default("unknown_items", UNKNOWN_ITEMS_WITH_TRENDS, "trends: many items are new"),
            Default("row_half_life", longest, "the longest half-life of the trends"),
        )
    return (*by_trend, _blend(manifest), _refit(manifest))


def pairs_of_rows(manifest: Manifest) -> float:
    """The pairs of rows of one user, as if all users had equally many: the work of counting similar items."""
    rows = sum(domain.train + domain.validation for domain in manifest.by_domain.values())
    return rows * rows / max(manifest.users, 1)


def _blend(manifest: Manifest) -> Default:
    """Off where counting similar items takes minutes, and where counters have co-clicks in their place."""
    pairs = pairs_of_rows(manifest)
    if manifest.trend is not None:
        return Default("blend", False, "trends have co-clicks")
    if manifest.items > MOST_ITEMS:
        return Default(
            "blend", False, f"{manifest.items:,} items, and neighbours are quick to count up to {MOST_ITEMS:,}"
        )
    if pairs > MOST_PAIRS:
        return Default(
            "blend", False, f"about {pairs:.0e} pairs of rows of a user; quick to count up to {MOST_PAIRS:.0e}"
        )
    return Default("blend", True, f"{manifest.items:,} items: their neighbours are quick to count")


def _refit(manifest: Manifest) -> Default:
    """On where validation rows are missed in training: the newest of the log, or many of some domain's rows."""
    if manifest.validation_by == "time":
        return Default("refit", True, "validation rows are the newest, which are worth the most")
    counts = manifest.by_domain
    share, name = max((part.validation / max(part.train + part.validation, 1), name) for name, part in counts.items())
    held_out = f"validation holds {share:.1%} of the rows of {name}"
    return Default("refit", share > MUCH_HELD_OUT, held_out + ("" if share > MUCH_HELD_OUT else ", the most of all"))
