"""Whether methods come out in the paper's order: pair by pair, with intervals over users and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from adi.evaluation.bootstrap import means, replicate_means
from adi.evaluation.groups import Group
from adi.evaluation.totals import totals_by_user
from adi.reproduce.paper import Published
from adi.reproduce.results import Results

REPLICATES = 1000
INTERVAL = (0.025, 0.975)

Verdict = Literal["agrees", "disagrees", "not decided"]

FORMS = {"ours": "with ADI's default form", "literal": "with ADI's literal form"}


@dataclass(frozen=True)
class Pair:
    """Two methods, in the paper's order; their differences in mean recall there, and here with its 95 % interval."""

    above: str
    below: str
    published: float
    here: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Decided where the interval leaves out 0."""
        return "agrees" if self.low > 0 else "disagrees" if self.high < 0 else "not decided"


@dataclass(frozen=True)
class Ordering:
    """The pairs of methods that are in both tables, and Kendall's tau of their means: 1 is the paper's order.

    `form` says which form of ADI stands for the paper's, where a table has two.
    """

    pairs: tuple[Pair, ...]
    tau: float
    form: str = ""

    def of(self, verdict: Verdict) -> list[Pair]:
        return [pair for pair in self.pairs if pair.verdict == verdict]


def orderings_of(results: Results) -> list[Ordering]:
    """A table's order of methods against the paper's, once for each form of ADI in it; none where that has none."""
    published = results.table.published
    if published is None:
        return []
    found = []
    for form in [form for form in FORMS if any(row.form == form for row in results.table.rows)] or ["any"]:
        groups = {row.method: group for row, group in results.reached if row.method and row.form in ("any", form)}
        ordering = compare_order(groups, published, results.table.measure)
        if ordering is not None:
            found.append(replace(ordering, form=FORMS.get(form, "")))
    return found


def compare_order(groups: Mapping[str, Group], published: Published, measure: str) -> Ordering | None:
    """Compare the order of methods by a measure such as ``recall@50``, averaged over the domains, with the paper's.

    `groups` are the runs of each of the paper's methods that is here; None where there are not two. Users and seeds are
    drawn as `adi.evaluation.bootstrap` says.
    """
    methods = sorted((name for name in published.recall if name in groups), key=lambda name: -published.mean(name))
    if len(methods) < 2:
        return None
    metric, _, k = measure.partition("@")
    chosen = [groups[name] for name in methods]
    seeds = [len(group.runs) for group in chosen]
    totals, num_users = totals_by_user([run for group in chosen for run in group.runs], metric, int(k))
    values = np.nanmean(means(totals, seeds), axis=1)  # (G,)
    drawn = replicate_means(totals, num_users, seeds, replicates=REPLICATES, seed=0)  # (R, G, D)
    drawn = np.nanmean(drawn[..., ~np.isnan(drawn).all(axis=(0, 1))], axis=2)  # (R, G)
    pairs = []
    for above, below in combinations(range(len(methods)), 2):
        low, high = np.quantile(drawn[:, above] - drawn[:, below], INTERVAL)
        pairs.append(
            Pair(
                methods[above],
                methods[below],
                published=published.mean(methods[above]) - published.mean(methods[below]),
                here=float(values[above] - values[below]),
                low=float(low),
                high=float(high),
            )
        )
    return Ordering(tuple(pairs), kendall_tau([pair.here for pair in pairs]))


def kendall_tau(differences: list[float]) -> float:
    """Of the pairs' differences here, taken in the paper's order: those that agree less those that do not, by all."""
    return float(np.sign(differences).mean())
