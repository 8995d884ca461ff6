"""Defaults that depend on the data, each with its reason: rules on what the manifest knows."""

from typing import Any, NamedTuple

from adi.data.manifest import Manifest
from adi.durations import OFF, DurationOrOff, as_duration

BATCH_SIZE, BATCH_SIZE_OF_FEW_ROWS = 4096, 1024
"""Rows of a step: with few rows in all, smaller batches make more steps before the tables overfit."""

UNIFORM, FEWER_UNIFORM = 1000, 250
"""Negatives from the corpus of a domain: most of the time of a step, so a smaller batch has fewer."""

UNKNOWN_ITEMS_WITH_TRENDS = 0.1

MOST_ITEMS, MOST_PAIRS = 200_000, 1e8
"""Up to so many items, and pairs of rows of one user, similar items are counted in seconds."""

MOST_ROWS = 5_000_000
"""Up to so many rows, what follows an item is counted in seconds."""

NEIGHBOURS = 20
LONG_HISTORIES = 50
"""Embeddings are smoothed over neighbours where there are not so many rows for each user on average."""

SETS, FEW_ROWS = 4, 200_000
"""Embedding sets up to so many rows: each takes a training as much time again."""

EPOCHS = 30
"""Epochs at most: early stopping ends most trainings sooner."""

PATIENCE, PATIENCE_OF_FEW_ROWS = 4, 8
"""Epochs without improvement that end a training: few validation rows can show none by chance while it still learns."""

MUCH_HELD_OUT = 0.02
"""A model is trained again on all rows where more of some domain's are validation rows."""


class Default(NamedTuple):
    """A setting's value for some data, and the reason in words."""

    name: str
    value: Any
    reason: str


def defaults_for(manifest: Manifest, row_half_life: DurationOrOff | None = None) -> tuple[Default, ...]:
    """The defaults of the settings of a trained model, and of its training, that depend on the data.

    `row_half_life` is the setting where it was given: whether newer rows count more is what other defaults depend on.
    """
    trend = manifest.trend
    if trend is None:
        by_trend = (
            Default("unknown_items", 0.0, "no trends"),
            _row_half_life(manifest),
        )
    else:
        longest = as_duration(max(trend.half_lives), manifest.time)
        by_trend = (
            Default("unknown_items", UNKNOWN_ITEMS_WITH_TRENDS, "trends: many items are new"),
            Default("row_half_life", longest, "the longest half-life of the trends"),
        )
    rows = _rows_of_epoch(manifest, row_half_life)
    rules = (_neighbours, _blend, _refit)
    by_rows = (*_steps(manifest, *rows), *_length(manifest), _embedding_sets(manifest, *rows))
    return (*by_trend, *by_rows, *(rule(manifest) for rule in rules))


def _row_half_life(manifest: Manifest) -> Default:
    """The half-life with which popularity finds most validation rows, where that is many more than without."""
    drift = manifest.drift
    if drift is None:
        return Default("row_half_life", OFF, "no drift was measured")
    reason = f"with it popularity finds {drift.recall:.0%} of the validation rows, without it {drift.recall_of_all:.0%}"
    return Default("row_half_life", drift.half_life, reason)


def pairs_of_rows(manifest: Manifest) -> float:
    """The pairs of rows of one user, as if all users had equally many: the work of counting similar items."""
    return num_rows(manifest) ** 2 / _users(manifest)


def num_rows(manifest: Manifest) -> int:
    """The rows that are not of the test."""
    return sum(domain.train + domain.validation for domain in manifest.by_domain.values())


def _rows_of_epoch(manifest: Manifest, row_half_life: DurationOrOff | None) -> tuple[int, str]:
    """The rows that an epoch is worth, also in words: fewer than those of the log where newer rows count more."""
    rows, drift = num_rows(manifest), manifest.drift
    if manifest.trend is not None or drift is None or drift.rows is None or row_half_life == OFF:
        return rows, f"{rows:,} rows"
    return drift.rows, f"{rows:,} rows, worth {drift.rows:,} as newer ones count more"


def _users(manifest: Manifest) -> int:
    """The users with rows, or somewhat more: a user of two domains counts twice, up to the users of all tables."""
    return max(min(manifest.users, sum(domain.users for domain in manifest.by_domain.values())), 1)


def _steps(manifest: Manifest, rows: int, described: str) -> tuple[Default, Default]:
    """The rows and negatives of a step: fewer of both where an epoch has few rows, which are also `described`."""
    if rows > FEW_ROWS:
        size, uniform, reason = BATCH_SIZE, UNIFORM, f"{described}: many steps in each epoch"
    else:
        size, uniform, reason = BATCH_SIZE_OF_FEW_ROWS, FEWER_UNIFORM, f"{described}: more and quicker steps"
    reason_for_uniform = reason
    if manifest.trend is not None:
        uniform, reason_for_uniform = FEWER_UNIFORM, "trends: most items of a corpus are not clicked now"
    return Default("batch_size", size, reason), Default("uniform", uniform, reason_for_uniform)


def _length(manifest: Manifest) -> tuple[Default, Default]:
    """Epochs at most, and patience: more where few validation rows can hide that a model still learns."""
    rows = num_rows(manifest)
    epochs = Default("epochs", EPOCHS, "at most: early stopping ends most trainings sooner")
    if manifest.trend is not None:
        return epochs, Default("patience", PATIENCE, "trends: the first epochs are most often the best")
    if rows > FEW_ROWS:
        return epochs, Default("patience", PATIENCE, f"{rows:,} rows: many validation rows")
    return epochs, Default("patience", PATIENCE_OF_FEW_ROWS, f"{rows:,} rows: few validation rows")


def _embedding_sets(manifest: Manifest, rows: int, described: str) -> Default:
    """Several where an epoch has few rows, so that a model depends much on chance, and training is quick."""
    if manifest.trend is not None:
        return Default("embedding_sets", 1, "trends, which no set has of its own")
    if rows > FEW_ROWS:
        return Default("embedding_sets", 1, f"{described}, and several take long above {FEW_ROWS:,}")
    return Default("embedding_sets", SETS, f"{described}: the errors of several average out, and training is quick")


def _neighbours(manifest: Manifest) -> Default:
    """On where similarities are quick to count, and not blurred by long histories."""
    rows = num_rows(manifest)
    of_user = rows / _users(manifest)
    if reason := _reason_not_to_count(manifest):
        return Default("neighbours", 0, reason)
    if not any(feature.kind == "id" for feature in manifest.side("item")):
        return Default("neighbours", 0, "no item feature of kind id")
    if of_user >= LONG_HISTORIES:
        return Default("neighbours", 0, f"{of_user:.0f} rows of a user: many items that have little in common")
    return Default("neighbours", NEIGHBOURS, f"{rows:,} rows, {of_user:.1f} of a user")


def _blend(manifest: Manifest) -> Default:
    """The kinds of added scores that the data allows, and that are quick to count."""
    if manifest.trend is not None:
        return Default("blend", (), "trends have co-clicks")
    kinds, reasons = [], []
    reason = _reason_not_to_count(manifest)
    if reason is None:
        kinds.append("similar")
        reasons.append(f"neighbours of {manifest.items:,} items are quick to count")
    else:
        reasons.append(f"nothing similar: {reason}")
    if manifest.time is not None and num_rows(manifest) <= MOST_ROWS:
        kinds.append("follows")
        reasons.append("rows have an order")
    if manifest.repeats:
        kinds.append("repeats")
        reasons.append("lists may show the items of the history")
    return Default("blend", tuple(kinds), "; ".join(reasons))


def _reason_not_to_count(manifest: Manifest) -> str | None:
    """Why similar items are not counted by default: that takes minutes, or counters have co-clicks in their place."""
    pairs = pairs_of_rows(manifest)
    if manifest.trend is not None:
        return "trends have co-clicks"
    if manifest.items > MOST_ITEMS:
        return f"{manifest.items:,} items, and neighbours are quick to count up to {MOST_ITEMS:,}"
    if pairs > MOST_PAIRS:
        return f"about {pairs:.0e} pairs of rows of a user; quick to count up to {MOST_PAIRS:.0e}"
    return None


def _refit(manifest: Manifest) -> Default:
    """On where validation rows are missed in training: the newest of the log, or many of some domain's rows."""
    if manifest.validation_by == "time":
        return Default("refit", True, "validation rows are the newest, which are worth the most")
    counts = manifest.by_domain
    share, name = max((part.validation / max(part.train + part.validation, 1), name) for name, part in counts.items())
    held_out = f"validation holds {share:.1%} of the rows of {name}"
    return Default("refit", share > MUCH_HELD_OUT, held_out + ("" if share > MUCH_HELD_OUT else ", the most of all"))
