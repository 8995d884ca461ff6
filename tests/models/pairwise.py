"""Rows of options in which every pair of two options' values occurs: most faults need no more than two to meet."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

Row = dict[str, Any]


def pairwise(options: Mapping[str, Sequence[Any]], *, allowed: Callable[[Row], bool] = lambda row: True) -> list[Row]:
    """Rows that give every option a value, such that each pair of values that is allowed at all is in some row.

    Greedy, and the same for the same options: each row starts from a pair that is not covered yet and takes, option by
    option, the value that covers most pairs.
    """
    source = random.Random(0)
    missing = {pair for pair in _pairs(options) if _completed(dict(pair), options, allowed, set(), source) is not None}
    rows: list[Row] = []
    while missing:
        start = min(missing, key=repr)
        tries = [_completed(dict(start), options, allowed, missing, source) for _ in range(20)]
        row = max((row for row in tries if row is not None), key=lambda row: len(missing & _pairs_of(row)))
        rows.append({name: row[name] for name in options})
        missing -= _pairs_of(row)
    return rows


def each_value(rows: Sequence[Row]) -> list[Row]:
    """Some of the rows, in which every value of every option still occurs."""
    missing = {pair for row in rows for pair in row.items()}
    chosen: list[Row] = []
    while missing:
        chosen.append(max(rows, key=lambda row: len(missing & set(row.items()))))
        missing -= set(chosen[-1].items())
    return chosen


def _pairs(options: Mapping[str, Sequence[Any]]) -> Iterator[tuple[tuple[str, Any], ...]]:
    for (first, values), (second, others) in combinations(options.items(), 2):
        yield from (((first, value), (second, other)) for value in values for other in others)


def _pairs_of(row: Row) -> set[tuple[tuple[str, Any], ...]]:
    return set(combinations(row.items(), 2)) | {(b, a) for a, b in combinations(row.items(), 2)}


def _completed(
    row: Row,
    options: Mapping[str, Sequence[Any]],
    allowed: Callable[[Row], bool],
    missing: set[tuple[tuple[str, Any], ...]],
    source: random.Random,
) -> Row | None:
    """A row with a value for every option, after some; None where none is found that is allowed."""
    for _ in range(50):
        full = dict(row)
        for name in source.sample([*options], len(options)):
            if name not in full:
                values = source.sample([*options[name]], len(options[name]))
                full[name] = max(values, key=lambda value: len(missing & _pairs_of({**full, name: value})))
        if allowed(full):
            return full
    return None
