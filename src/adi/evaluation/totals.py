"""What the test queries of each user gain in each of several runs: all that a comparison needs of their ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError
from adi.evaluation.breakdown import Slice, group_numbers, labels
from adi.evaluation.ranks import RANKS, Ranked, read_ranks
from adi.metrics import Metric
from adi.runs.run import Run


@dataclass(frozen=True)
class Totals:
    """What the queries of a domain, or of a slice of it, add up to, for each of the n users that have any there.

    `users` (n,) are their places among all U users, each once. `sums` (n, 1 + S) has the number of queries, then what
    these gain in each of the S runs: those of the first model, then of the second, and so on.
    """

    users: Array
    sums: Array


def totals_by_user(
    runs: Sequence[Run], metric: Metric, k: int, by: Sequence[str] = ()
) -> tuple[dict[Slice | None, list[Totals]], int]:
    """The totals of each domain, for a metric at k, and U, the number of users.

    They are of all queries (None), and of each slice of the breakdowns `by` that holds a query in any domain.

    Raises `AdiError` where the ranks of a run are missing or not of the same test rows.
    """
    domains = runs[0].info.domains
    asked = read_ranks(runs[0].folder, runs[0].metrics.ranks, domains)
    everybody = np.unique(np.concatenate([own.users for own in asked.values()]))
    if not len(everybody):
        raise AdiError(f"{runs[0].folder / RANKS}: no test query in any domain, so there is nothing to compare by.")
    sums: dict[Slice | None, list[_Sums]] = {}
    for among in (None, *(Slice(one, label) for one in by for label in labels(one))):
        found = [_Sums(own, among, len(runs)) for own in asked.values()]
        if any(len(own.users) for own in found):
            sums[among] = found
    for number, run in enumerate(runs, 1):
        for place, (name, ranked) in enumerate(read_ranks(run.folder, run.metrics.ranks, domains).items()):
            if not np.array_equal(ranked.rows, asked[name].rows):
                raise AdiError(
                    f"{run.folder / RANKS}: other test rows of {name} than in {runs[0].folder}. Evaluate both again."
                )
            gained = metric.gains(ranked.ranks, k)
            for found in sums.values():
                found[place].add(number, gained)
    totals = {
        among: [Totals(np.searchsorted(everybody, own.users), own.sums) for own in found]
        for among, found in sums.items()
    }
    return totals, len(everybody)


class _Sums:
    """The sums of a slice of a domain's queries, filled run by run."""

    def __init__(self, asked: Ranked, among: Slice | None, runs: int) -> None:
        if among is None:
            self._queries = np.arange(len(asked.rows))
        else:
            number = labels(among.by).index(among.label)
            self._queries = np.flatnonzero(group_numbers(among.by, asked.by[among.by]) == number)
        self.users, self._places, counts = np.unique(
            asked.users[self._queries], return_inverse=True, return_counts=True
        )
        self.sums = np.zeros((len(self.users), 1 + runs))
        self.sums[:, 0] = counts

    def add(self, run: int, gained: Array) -> None:
        """What the domain's queries gain in a run, of which the slice takes its own."""
        self.sums[:, run] = np.bincount(self._places, gained[self._queries], minlength=len(self.users))
