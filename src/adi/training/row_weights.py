"""Weights of training rows that halve with their age, and an epoch's rows drawn by weight."""

from collections.abc import Iterator

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.durations import OFF, Duration, half_lives_of, in_log_time, worth
from adi.models.decay import decay

SETTING = "training.row_half_life"
THOUSANDTHS = 1000


def row_weights(dataset: Dataset, half_life: int | float | str) -> Array | None:
    """The mean number of times that an epoch has each row of the log (rows,): 2^(-age / half_life), scaled.

    The age counts from the newest training row. Validation rows have weight 0. The sum is the number of rows of an
    epoch. None if the half-life is "off".

    Raises `AdiError` for a log without time and for a half-life that does not fit its unit.
    """
    decayed = decay(dataset, half_life, name=SETTING)
    if decayed is None:
        return None
    rows = dataset.rows("train")
    times, length = dataset.times("train")[rows], in_log_time(half_life, dataset.manifest.time, name=SETTING)
    weights = np.zeros(dataset.num_rows)
    weights[rows] = decayed * (_rows_of_epoch(times, length) / decayed.sum())
    return weights


def _rows_of_epoch(times: Array, half_life: float) -> int:
    """The rows of an epoch: as many as evenly spread rows with such weights are worth (`adi.durations.worth`).

    With more, the newest rows come so often in an epoch that its end is too late to stop. How many rows the newest time
    really has is left out: a refit, whose newest rows are others, would else have epochs of another size than those by
    which its number of epochs was chosen.
    """
    return worth(len(times), half_life, float(times.max() - times.min()))


def drawn_by_weight(blocks: Iterator[Array], weights: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Repeat or leave out the rows of each block, so that an epoch has ``weights[row]`` of each row on average.

    Systematic sampling: a row of weight w comes floor(w) or ceil(w) times, and an epoch has as many rows as the sum of
    all weights. The rows of a block are shuffled, so that copies of a row are spread over its batches.
    """
    start = rng.random()
    for rows in blocks:
        ends = start + np.cumsum(weights[rows])
        copies = np.diff(np.floor(ends), prepend=np.floor(start)).astype(np.int64)
        start = ends[-1]
        yield rng.permutation(np.repeat(rows, copies))


def weighted_counts(dataset: Dataset, weights: Array) -> list[Array]:
    """The rows that an epoch has of each item of each domain's corpus, on average, in thousandths, rounded up.

    They take the place of the counts of training rows in the correction of negatives, which needs the share of each
    item among the positives. Rounded up, an item that may be drawn has a share above 0.
    """
    rows = dataset.rows("train")
    _, items, domains = dataset.targets("train", rows)
    counts = []
    for domain, corpus in enumerate(dataset.corpora.items):
        in_domain = domains == domain
        positions = np.searchsorted(corpus, items[in_domain].astype(corpus.dtype))
        expected = np.bincount(positions, weights=weights[rows[in_domain]], minlength=len(corpus))
        counts.append(np.ceil(expected * THOUSANDTHS).astype(np.int64))
    return counts


def half_lives(dataset: Dataset) -> list[Duration]:
    """Half-lives worth trying, for the time that the training rows span; none for a log without time."""
    if dataset.manifest.time is None:
        return []
    times = dataset.times("train")[dataset.rows("train")]
    span = float(times.max() - times.min())
    return half_lives_of(span, dataset.manifest.time)


def check_half_life(dataset: Dataset, half_life: int | float | str) -> None:
    """Raise `AdiError` for a half-life that does not fit the dataset's log."""
    if half_life != OFF:
        in_log_time(half_life, dataset.manifest.time, name=SETTING)
