"""Attention: items that come, trend and fade, and bursts of others.

Attention multiplies the probability of a click. An item that lasts has attention 1 at all times. A new item has none
before it arrives. Then its attention rises for a quarter of its half-life, and halves with each half-life from there.
A burst adds as much to a lasting item, in one domain. Attention is constant within a step of ten minutes.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adi.errors import ArgumentError
from adi.marketplace.clock import DAY, FIRST_DAY, HOUR, time_of_day
from adi.marketplace.settings import Marketplace
from adi.marketplace.truth import Truth

ATTENTION_STREAM = 6
"""This module's random stream in `Marketplace.rng`."""

STEPS_AN_HOUR = 6
STEP = HOUR // STEPS_AN_HOUR

NEW_SHARE = 0.5
"""Share of the items that are new."""

HALF_LIFE_SPREAD = 0.5
"""Standard deviation of the logarithm of half-lives in a domain."""

RISE = 0.25
"""Half-lives from an item's arrival to its peak."""

BURSTS_A_DAY = 3
"""Bursts in each domain."""

BURST_PEAK = 30.0
"""Peak of a burst relative to that of a new item of the same popularity."""


@dataclass(frozen=True)
class Attention:
    """The attention of each item in each domain over time, in steps from the first day on.

    Args:
        num_steps: steps that the log covers; 1 if nothing changes.
        step_length: microseconds of a step.
        is_new: (I,) bool, the items that arrive and fade.
        start: (I, D) int, the step in which a new item arrives or a burst begins.
        peak: (I, D), the most attention that it adds; 0 without either.
        half_life: (I, D), in hours.
    """

    num_steps: int
    step_length: int
    is_new: np.ndarray
    start: np.ndarray
    peak: np.ndarray
    half_life: np.ndarray

    @property
    def changes(self) -> bool:
        """Whether any attention is ever other than 1."""
        return self.num_steps > 1

    def step(self, time: np.ndarray) -> np.ndarray:
        """The steps of times in microseconds since the first day."""
        return np.asarray(time // self.step_length)

    def of(self, item: np.ndarray, domain: np.ndarray, step: np.ndarray) -> np.ndarray:
        """The attention of items in domains in steps, three arrays that broadcast."""
        cell = item, domain
        age = step + 1 - self.start[cell]
        half_life = STEPS_AN_HOUR * self.half_life[cell]
        rise = _rise(half_life)
        shape = np.minimum(age / rise, 1.0) * np.exp2(np.minimum(rise - age, 0.0) / half_life)
        return np.asarray(~self.is_new[item] + self.peak[cell] * np.maximum(shape, 0.0))

    def ceiling(self, item: np.ndarray, domain: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """The greatest attention of items in domains in the steps from `first` to `last`."""
        highest = self.start[item, domain] + _rise(STEPS_AN_HOUR * self.half_life[item, domain]) - 1
        return self.of(item, domain, np.clip(highest, first, last))

    def at(self, domain: int, time: np.ndarray) -> np.ndarray:
        """The attention of all items in a domain at times (B,), in microseconds since 1970: (B, I)."""
        step = self.step(time - FIRST_DAY)
        return self.of(np.arange(len(self.is_new)), np.asarray(domain), step[:, None])


def _rise(half_life: np.ndarray) -> np.ndarray:
    """Steps from the start to the peak, both counted, for half-lives in steps."""
    return np.maximum(1, np.rint(RISE * half_life)).astype(np.int64)


def draw_attention(truth: Truth) -> Attention:
    """Draw the attention of a marketplace from its seed.

    In each domain, new items and bursts have the share ``trends`` of the attention of an average moment, where items
    weigh by their popularity, bid and quality.

    Raises:
        ArgumentError: if a domain has no lasting item.
    """
    settings, eligible = truth.settings, truth.eligible
    if settings.trends == 0:
        return _constant(settings)
    rng = settings.rng(ATTENTION_STREAM)
    is_new = rng.random(settings.items) < NEW_SHARE
    is_lasting = eligible & ~is_new[:, None]
    if not is_lasting.any(axis=0).all():
        name = settings.domain_names[int(np.argmin(is_lasting.any(axis=0)))]
        raise ArgumentError("trends", f"domain '{name}' would have new items only. Give more items, or trends 0.")

    peak = np.where(is_new[:, None] & eligible, 1.0, 0.0)
    start = np.repeat(_moments(rng, settings, settings.items)[:, None], settings.domains, axis=1)
    for d in range(settings.domains):
        lasting = np.flatnonzero(is_lasting[:, d])
        items = rng.choice(lasting, size=min(BURSTS_A_DAY * settings.days, len(lasting)), replace=False)
        peak[items, d] = BURST_PEAK
        start[items, d] = _moments(rng, settings, len(items))
    attention = Attention(
        _num_steps(settings),
        STEP,
        is_new=is_new,
        start=start,
        peak=peak,
        half_life=settings.half_lives * np.exp(HALF_LIFE_SPREAD * rng.standard_normal(eligible.shape)),
    )
    weight = np.where(eligible, np.exp(truth.item_effects()), 0.0)
    lasting_mass = (weight * ~is_new[:, None]).sum(axis=0)
    cells = np.arange(settings.items)[:, None], np.arange(settings.domains)
    hours = range(0, attention.num_steps, STEPS_AN_HOUR)
    mean_mass = np.mean([(weight * attention.of(*cells, np.asarray(hour))).sum(axis=0) for hour in hours], axis=0)
    ratio = settings.trends / (1.0 - settings.trends)
    return replace(attention, peak=peak * ratio * lasting_mass / (mean_mass - lasting_mass))


def _num_steps(settings: Marketplace) -> int:
    return settings.days * (DAY // STEP)


def _moments(rng: np.random.Generator, settings: Marketplace, count: int) -> np.ndarray:
    """Draw the steps of `count` events: a uniform day, and a time by the rhythm of the day."""
    time = rng.integers(settings.days, size=count) * DAY + time_of_day(rng.random(count))
    return np.asarray(time // STEP)


def _constant(settings: Marketplace) -> Attention:
    """The attention 1 of every item at all times: a single step, and arrays of one number."""
    shape = (settings.items, settings.domains)
    return Attention(
        1,
        settings.days * DAY,
        is_new=np.zeros(settings.items, dtype=bool),
        start=np.broadcast_to(0, shape),
        peak=np.broadcast_to(0.0, shape),
        half_life=np.broadcast_to(1.0, shape),
    )


def save_attention(attention: Attention, truth: Truth, folder: Path) -> None:
    """Write what changes into ``attention.parquet``; nothing where nothing does."""
    if not attention.changes:
        return
    item, domain = np.nonzero(attention.peak)
    cell = item, domain
    columns = {
        "item_id": item + 1,
        "domain": pa.array(truth.settings.domain_names).take(pa.array(domain)),
        "kind": pa.array(["burst", "new"]).take(pa.array(attention.is_new[item].astype(np.int64))),
        "start": pa.array(FIRST_DAY + attention.start[cell] * STEP).view(pa.timestamp("us")),
        "peak": attention.peak[cell],
        "half_life": attention.half_life[cell],
    }
    pq.write_table(pa.table(columns), folder / "attention.parquet")


def load_attention(folder: Path, truth: Truth) -> Attention:
    """Read what `save_attention` wrote; `start` is 0 and `half_life` 1 where `peak` is 0."""
    settings = truth.settings
    if settings.trends == 0:
        return _constant(settings)
    table = pq.read_table(folder / "attention.parquet")
    item = table["item_id"].to_numpy() - 1
    domain = pc.index_in(table["domain"], value_set=pa.array(settings.domain_names)).to_numpy()
    is_new = np.zeros(settings.items, dtype=bool)
    is_new[item[pc.equal(table["kind"], "new").to_numpy()]] = True
    start = np.zeros(truth.eligible.shape, dtype=np.int64)
    peak, half_life = np.zeros(start.shape), np.ones(start.shape)
    start[item, domain] = (table["start"].cast(pa.int64()).to_numpy() - FIRST_DAY) // STEP
    peak[item, domain], half_life[item, domain] = table["peak"].to_numpy(), table["half_life"].to_numpy()
    return Attention(_num_steps(settings), STEP, is_new=is_new, start=start, peak=peak, half_life=half_life)
