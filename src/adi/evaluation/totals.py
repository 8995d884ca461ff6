"""What the test queries of each user gain in each of several runs: all that a comparison needs of their ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError
from adi.evaluation.metrics import gains
from adi.evaluation.ranks import RANKS, read_ranks
from adi.evaluation.runs import Run


@dataclass(frozen=True)
class Totals:
    """What the queries of a domain add up to, for each of the n users that have any there.

    `users` (n,) are their places among all U users, each once. `sums` (n, 1 + S) has the number of queries, then what
    these gain in each of the S runs: those of the first model, then of the second, and so on.
    """

    users: Array
    sums: Array


def totals_by_user(runs: Sequence[Run], metric: str, k: int) -> tuple[list[Totals], int]:
    """The totals of each domain, for a metric of `adi.evaluation.metrics.GAINS`, and U, the number of users.

    Raises `AdiError` where the ranks of a run are missing or not of the same test rows.
    """
    domains = runs[0].card.domains
    asked = read_ranks(runs[0].folder, runs[0].metrics.ranks, domains)
    everybody = np.unique(np.concatenate([own.users for own in asked.values()]))
    if not len(everybody):
        raise AdiError(f"{runs[0].folder / RANKS}: no test query in any domain, so there is nothing to compare by.")
    totals: dict[str, Totals] = {}
    places: dict[str, Array] = {}  # of each query, its user's place among those of the domain
    for name, own in asked.items():
        users, places[name], queries = np.unique(own.users, return_inverse=True, return_counts=True)
        sums = np.zeros((len(users), 1 + len(runs)))
        sums[:, 0] = queries
        totals[name] = Totals(np.searchsorted(everybody, users), sums)
    for number, run in enumerate(runs, 1):
        for name, own in read_ranks(run.folder, run.metrics.ranks, domains).items():
            if not np.array_equal(own.rows, asked[name].rows):
                raise AdiError(
                    f"{run.folder / RANKS}: other test rows of {name} than in {runs[0].folder}. Evaluate both again."
                )
            sums = totals[name].sums
            sums[:, number] = np.bincount(places[name], gains(metric, own.ranks, k), minlength=len(sums))
    return list(totals.values()), len(everybody)
