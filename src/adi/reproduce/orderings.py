"""Whether methods come out in the paper's order: pair by pair, with intervals over users and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from adi.data.arrays import Array
from adi.evaluation.bootstrap import means, replicate_means
from adi.evaluation.comparable import parsed
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


@dataclass(frozen=True)
class Drawn:
    """The means over the domains of G methods, (G,), and those in each of R draws of users and seeds, (R, G)."""

    means: Array
    replicates: Array


def orderings_of(results: Results) -> list[Ordering]:
    """A table's order of methods against the paper's, once for each form of ADI in it; none where that has none."""
    published = results.table.published
    reached = [(row, group) for row, group in results.reached if row.method]
    if published is None or len(reached) < 2:
        return []
    drawn = draw([group for _, group in reached], results.table.measure)  # once: a pair is the same in both forms
    found = []
    for form in [form for form in FORMS if any(row.form == form for row, _ in reached)] or ["any"]:
        places = {
            row.method: place for place, (row, _) in enumerate(reached) if row.method and row.form in ("any", form)
        }
        ordering = compare_order(places, drawn, published)
        if ordering is not None:
            found.append(replace(ordering, form=FORMS.get(form, "")))
    return found


def draw(groups: Sequence[Group], measure: str) -> Drawn:
    """The means of methods by a measure such as ``recall@50``; `adi.evaluation.bootstrap` says how they are drawn."""
    metric, k = parsed(measure)
    seeds = [len(group.runs) for group in groups]
    totals, num_users = totals_by_user([run for group in groups for run in group.runs], metric, k)
    domains = totals[None]
    replicates = replicate_means(domains, num_users, seeds, replicates=REPLICATES, seed=0)  # (R, G, D)
    replicates = replicates[..., ~np.isnan(replicates).all(axis=(0, 1))]
    return Drawn(np.nanmean(means(domains, seeds), axis=1), np.nanmean(replicates, axis=2))


def compare_order(places: Mapping[str, int], drawn: Drawn, published: Published) -> Ordering | None:
    """Compare the order of methods with the paper's, by where each of the paper's that is here is in `drawn`.

    None where there are not two.
    """
    methods = sorted((name for name in published.recall if name in places), key=lambda name: -published.mean(name))
    if len(methods) < 2:
        return None
    pairs = []
    for above, below in combinations(methods, 2):
        one, other = places[above], places[below]
        low, high = np.quantile(drawn.replicates[:, one] - drawn.replicates[:, other], INTERVAL)
        pairs.append(
            Pair(
                above,
                below,
                published=published.mean(above) - published.mean(below),
                here=float(drawn.means[one] - drawn.means[other]),
                low=float(low),
                high=float(high),
            )
        )
    return Ordering(tuple(pairs), kendall_tau([pair.here for pair in pairs]))


def kendall_tau(differences: list[float]) -> float:
    """Of the pairs' differences here, taken in the paper's order: those that agree less those that do not, by all."""
    return float(np.sign(differences).mean())
