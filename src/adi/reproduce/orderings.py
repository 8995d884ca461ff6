"""The order of methods compared with the paper's: pair by pair, with intervals over users and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from adi.comparison.bootstrap import means, replicate_means
from adi.comparison.compare import parse_measure
from adi.comparison.difference import INTERVAL
from adi.comparison.totals import totals_by_user
from adi.data.arrays import Array
from adi.reproduce.paper import Published
from adi.reproduce.results import Results
from adi.runs.groups import RunGroup

REPLICATES = 1000

Agreement = Literal["agrees", "disagrees", "not decided"]

FORMS = {"ours": "with ADI's default form", "literal": "with ADI's literal form"}


@dataclass(frozen=True)
class Pair:
    """Two methods in the paper's order: the difference of their mean recall there, and here with its 95 % interval."""

    above: str
    below: str
    published: float
    measured: float
    low: float
    high: float

    @property
    def agreement(self) -> Agreement:
        """Decided where the interval excludes 0."""
        return "agrees" if self.low > 0 else "disagrees" if self.high < 0 else "not decided"


@dataclass(frozen=True)
class Ordering:
    """The pairs of methods that are in both tables, and Kendall's tau of their means; 1 is the paper's order.

    `form` names the form of ADI that is compared with the paper's, where a table has two.
    """

    pairs: tuple[Pair, ...]
    tau: float
    form: str = ""

    def of(self, agreement: Agreement) -> list[Pair]:
        return [pair for pair in self.pairs if pair.agreement == agreement]


@dataclass(frozen=True)
class MethodMeans:
    """The means over the domains of G methods, (G,), and those of R bootstrap replicates, (R, G)."""

    means: Array
    replicates: Array


def orderings_of(results: Results) -> list[Ordering]:
    """The orderings of a table, one for each form of ADI in it; empty where the paper has no such table."""
    published = results.table.published
    finished = [(row, group) for row, group in results.finished if row.method]
    if published is None or len(finished) < 2:
        return []
    method_means = bootstrap_means([group for _, group in finished], results.table.measure)  # shared by both forms
    orderings = []
    for form in [form for form in FORMS if any(row.form == form for row, _ in finished)] or ["any"]:
        indices = {
            row.method: index for index, (row, _) in enumerate(finished) if row.method and row.form in ("any", form)
        }
        ordering = compare_order(indices, method_means, published)
        if ordering is not None:
            orderings.append(replace(ordering, form=FORMS.get(form, "")))
    return orderings


def bootstrap_means(groups: Sequence[RunGroup], measure: str) -> MethodMeans:
    """The means of methods by a measure such as ``recall@50``, with replicates (`adi.comparison.bootstrap`)."""
    metric, k = parse_measure(measure)
    seeds = [len(group.runs) for group in groups]
    totals, num_users = totals_by_user([run for group in groups for run in group.runs], metric, k)
    domains = totals[None]
    replicates = replicate_means(domains, num_users, seeds, replicates=REPLICATES, seed=0)  # (R, G, D)
    replicates = replicates[..., ~np.isnan(replicates).all(axis=(0, 1))]
    return MethodMeans(np.nanmean(means(domains, seeds), axis=1), np.nanmean(replicates, axis=2))


def compare_order(indices: Mapping[str, int], method_means: MethodMeans, published: Published) -> Ordering | None:
    """The ordering of the paper's methods that have an index in `method_means`; None for fewer than two."""
    methods = sorted((name for name in published.recall if name in indices), key=lambda name: -published.mean(name))
    if len(methods) < 2:
        return None
    pairs = []
    for above, below in combinations(methods, 2):
        first, second = indices[above], indices[below]
        replicates = method_means.replicates[:, first] - method_means.replicates[:, second]
        low, high = np.quantile(replicates, INTERVAL)
        pairs.append(
            Pair(
                above,
                below,
                published=published.mean(above) - published.mean(below),
                measured=float(method_means.means[first] - method_means.means[second]),
                low=float(low),
                high=float(high),
            )
        )
    return Ordering(tuple(pairs), kendall_tau([pair.measured for pair in pairs]))


def kendall_tau(differences: list[float]) -> float:
    """Kendall's tau from the differences of pairs in the paper's order: concordant minus discordant, by all pairs."""
    return float(np.sign(differences).mean())
