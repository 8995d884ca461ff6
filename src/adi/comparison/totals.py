"""Sums over the test queries of each user, in each of several runs: all that a comparison needs of their ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError
from adi.evaluation.breakdown import Slice, group_numbers, labels
from adi.metrics import Metric
from adi.runs.ranks import FILE, QueryRanks, read_ranks
from adi.runs.run import Run


@dataclass(frozen=True)
class Totals:
    """Sums over the queries of a domain, or of a slice of it, for each of the n users with queries there.

    Args:
        users: indices among all U users, each once, (n,).
        sums: the number of queries, then their total gain in each of the S runs, (n, 1 + S); runs of one model stand
            side by side.
    """

    users: Array
    sums: Array


def totals_by_user(
    runs: Sequence[Run], metric: Metric, k: int, by: Sequence[str] = ()
) -> tuple[dict[Slice | None, list[Totals]], int]:
    """The totals of each domain for a metric at k, and U, the number of users with test queries.

    The totals are of all queries (key None), and of each slice of the breakdowns `by` with a query in any domain.

    Raises `AdiError` where the ranks of a run are missing or of other test rows.
    """
    first = runs[0]
    ranks_by_domain = read_ranks(first)
    users = np.unique(np.concatenate([ranks.users for ranks in ranks_by_domain.values()]))
    if not len(users):
        raise AdiError(f"{first.folder / FILE}: no test query in any domain, so nothing can be compared.")
    for name in by:
        if any(name not in ranks.by for ranks in ranks_by_domain.values()):
            raise AdiError(
                f"{first.folder / FILE}: has no column '{name}', written by an older adi. Run 'adi evaluate "
                f"{first.folder}' again, with the same options."
            )
    sums: dict[Slice | None, list[_Sums]] = {}
    for among in (None, *(Slice(name, label) for name in by for label in labels(name))):
        slice_sums = [_Sums(ranks, among, len(runs)) for ranks in ranks_by_domain.values()]
        if any(len(domain_sums.users) for domain_sums in slice_sums):
            sums[among] = slice_sums
    for column, run in enumerate(runs, 1):
        for index, (domain, ranks) in enumerate(read_ranks(run).items()):
            if not np.array_equal(ranks.rows, ranks_by_domain[domain].rows):
                raise AdiError(
                    f"{run.folder / FILE}: other test rows of {domain} than in {first.folder}. Evaluate both again."
                )
            gains = metric.gains(ranks.ranks, k)
            for slice_sums in sums.values():
                slice_sums[index].add(column, gains)
    totals = {
        among: [Totals(np.searchsorted(users, sums.users), sums.sums) for sums in slice_sums]
        for among, slice_sums in sums.items()
    }
    return totals, len(users)


class _Sums:
    """The sums of a slice of a domain's queries, filled run by run."""

    def __init__(self, ranks: QueryRanks, among: Slice | None, runs: int) -> None:
        if among is None:
            self._queries = np.arange(len(ranks.rows))
        else:
            number = labels(among.by).index(among.label)
            self._queries = np.flatnonzero(group_numbers(among.by, ranks.by[among.by]) == number)
        self.users, self._user_indices, counts = np.unique(
            ranks.users[self._queries], return_inverse=True, return_counts=True
        )
        self.sums = np.zeros((len(self.users), 1 + runs))
        self.sums[:, 0] = counts

    def add(self, column: int, gains: Array) -> None:
        """Add up the gains of the domain's queries in a run, for those in the slice."""
        self.sums[:, column] = np.bincount(self._user_indices, gains[self._queries], minlength=len(self.users))
