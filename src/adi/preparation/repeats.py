"""Repeats in a prepared log: exact duplicates, and test rows whose item the user had before."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adi.data.arrays import Array, read_array
from adi.data.manifest import DomainCounts
from adi.data.ranges import ranges

ROWS_AT_ONCE = 1 << 22


class _Rows(NamedTuple):
    """Rows of some users: `position` counts the user's rows of training and validation; -1 for a row of the test,
    which has `before` earlier ones."""

    user: Array
    item: Array
    domain: Array
    time: Array
    position: Array
    before: Array


def with_repeats(by_domain: Mapping[str, DomainCounts], folder: Path) -> dict[str, DomainCounts]:
    """The counts of each domain with `duplicates` and `seen`, from the rows that are written in a folder."""
    duplicates, seen = np.zeros((2, len(by_domain)), dtype=np.int64)
    for rows in _blocks(folder):
        repeated = _of_repeated_pairs(rows)
        duplicates += np.bincount(_duplicates(repeated), minlength=len(by_domain))
        seen += np.bincount(_seen(repeated), minlength=len(by_domain))
    return {
        name: counts.model_copy(update={"duplicates": int(duplicates[number]), "seen": int(seen[number])})
        for number, (name, counts) in enumerate(by_domain.items())
    }


def _blocks(folder: Path) -> Iterator[_Rows]:
    """All rows, a block of users at a time."""
    offsets = read_array(folder / "interactions" / "user_offsets.npy")
    log = _columns(folder / "interactions")
    test = _columns(folder / "test")
    before = read_array(folder / "test" / "before.npy")
    by_user = np.argsort(test["user"], kind="stable")
    tested = np.searchsorted(test["user"], np.arange(len(offsets)), sorter=by_user)
    users = len(offsets) - 1
    size = offsets + tested  # rows of the users before each
    first = 0
    while first < users:
        last = max(first + 1, int(np.searchsorted(size, size[first] + ROWS_AT_ONCE, side="right")) - 1)
        rows = slice(offsets[first], offsets[last])
        tests = by_user[tested[first] : tested[last]]
        lengths = np.diff(offsets[first : last + 1])
        columns = {name: np.concatenate([log[name][rows], test[name][tests]]) for name in log}
        position = np.append(ranges(np.zeros_like(lengths), lengths)[0], np.full(len(tests), -1))
        num_before = np.append(np.zeros(len(position) - len(tests), dtype=np.int64), before[tests])
        yield _Rows(**columns, position=position, before=num_before)
        first = last


def _columns(folder: Path) -> dict[str, Array]:
    columns = {name: read_array(folder / f"{name}.npy") for name in ("user", "item", "domain")}
    time = folder / "time.npy"
    columns["time"] = read_array(time) if time.exists() else np.zeros(len(columns["user"]), dtype=np.int8)
    return columns


def _of_repeated_pairs(rows: _Rows) -> _Rows:
    """The rows whose user and item are also those of another row."""
    pair = rows.user.astype(np.int64) << 32 | rows.item
    order = np.argsort(pair)
    same = pair[order[1:]] == pair[order[:-1]]
    repeats = np.zeros(len(pair), dtype=bool)
    repeats[1:] |= same
    repeats[:-1] |= same
    return _Rows(*(column[order[repeats]] for column in rows))


def _duplicates(rows: _Rows) -> Array:
    """The domains of rows that equal another in user, item, domain and time, but for one of each kind."""
    keys = (rows.time, rows.domain, rows.item, rows.user)
    order = np.lexsort(keys)
    same = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in keys])
    return rows.domain[order[1:][same]]


def _seen(rows: _Rows) -> Array:
    """The domains of test rows whose item is in their history."""
    pairs, pair = np.unique(rows.user.astype(np.int64) << 32 | rows.item, return_inverse=True)
    first = np.full(len(pairs), np.iinfo(np.int64).max)
    in_test = rows.position < 0
    np.minimum.at(first, pair[~in_test], rows.position[~in_test])
    return rows.domain[in_test & (first[pair] < rows.before)]
