"""The difference of a model to the baseline in a domain: its value, 95 % interval, verdict and sentence.

The margin is the largest difference that does not matter in practice. An interval within the margin means that the two
are equally good, even where it excludes 0; an interval outside of 0 means that one is better; any other leaves it open.
That no significant difference was measured does not mean that there is none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from adi.comparison.totals import Totals
from adi.data.arrays import Array
from adi.evaluation.breakdown import Slice

Verdict = Literal["helps", "hurts", "makes no difference", "not decided"]

Mean = Literal["domains", "queries"]

INTERVAL = (0.025, 0.975)
"""Quantiles of the replicates: a 95 % interval."""

FEWEST_USERS = 50
"""With fewer users a bootstrap interval is too narrow to decide by: it cannot draw users it has not seen."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A model's value minus the baseline's, in a domain or (None) in a mean, with a 95 % interval.

    `mean` is ``domains``, the mean over the domains, or ``queries``, that over all queries; None in a domain. `among`
    is the slice of the queries that are compared; None: all queries. `users` counts the users with a query there.
    Values are None where there is no query.
    """

    model: str
    domain: str | None
    mean: Mean | None = None
    among: Slice | None
    users: int
    verdict: Verdict
    sentence: str
    baseline_value: float | None = None
    value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SliceMeans:
    """The means of G models over the same queries, in D domains; in column D averaged over those with queries, and in
    column D + 1 over all queries.

    Args:
        values: means, (G, D + 2).
        replicates: the same in R bootstrap replicates, (R, G, D + 2).
        users: the number of users with a query, (D + 2,).
        fewest_users: the number of users of the smallest domain in the mean, (D + 2,).
    """

    values: Array
    replicates: Array
    users: tuple[int, ...]
    fewest_users: tuple[int, ...]

    @classmethod
    def of(
        cls, totals: Sequence[Totals], values: Array, replicates: Array, left_out: Sequence[int] = ()
    ) -> "SliceMeans":
        """From the totals of D domains, their means (G, D) and those of the replicates (R, G, D).

        Domains `left_out` are not in the mean over the domains, unless no other has queries. The mean over all queries
        weighs domains by their queries in the log, in every replicate.
        """
        users = [len(domain.users) for domain in totals]
        queries = np.array([domain.sums[:, 0].sum() for domain in totals])
        averaged = (queries > 0) & ~np.isin(np.arange(len(totals)), left_out)
        if not averaged.any():
            averaged = queries > 0
        weights = np.stack([averaged / averaged.sum(), queries / queries.sum()], axis=1)  # (D, 2)
        overall = len(np.unique(np.concatenate([domain.users for domain in totals])))
        smallest = min(count for count, used in zip(users, averaged, strict=True) if used)  # no mean is more certain
        return cls(
            _with_means(values, weights),
            _with_means(replicates, weights),
            (*users, overall, overall),
            (*users, smallest, overall),
        )


def difference(
    means: SliceMeans,
    column: int,
    *,
    baseline: int,
    model: int,
    label: str,
    subject: str,
    domain: str | None,
    mean: Mean | None,
    among: Slice | None,
    margin: float,
) -> Difference:
    """The difference of two of G models, given by index, in a column of their means; `subject` begins its sentence."""
    users, fewest_users = means.users[column], means.fewest_users[column]
    if not users:
        text = sentence(subject, "not decided", domain=domain, mean=mean, among=among, because="no queries")
        return Difference(
            model=label, domain=domain, mean=mean, among=among, users=0, verdict="not decided", sentence=text
        )
    baseline_value, value = (float(means.values[row, column]) for row in (baseline, model))
    replicates = means.replicates[:, model, column] - means.replicates[:, baseline, column]
    change = _rounded(value - baseline_value)
    low, high = (_rounded(float(bound)) for bound in np.nanquantile(replicates, INTERVAL))
    decision = verdict(low, high, margin=margin, users=fewest_users)
    because = f"{change:+.3f}, 95 % {low:+.3f} to {high:+.3f}"
    if fewest_users < FEWEST_USERS:
        because += f", from only {fewest_users} users"
    return Difference(
        model=label,
        domain=domain,
        mean=mean,
        among=among,
        users=users,
        verdict=decision,
        sentence=sentence(subject, decision, domain=domain, mean=mean, among=among, because=because),
        baseline_value=baseline_value,
        value=value,
        difference=change,
        low=low,
        high=high,
    )


def verdict(low: float, high: float, *, margin: float, users: int) -> Verdict:
    """The verdict on a difference with the 95 % interval from `low` to `high`, measured on so many users."""
    if users < FEWEST_USERS:
        return "not decided"
    if -margin <= low and high <= margin:
        return "makes no difference"
    if low > 0:
        return "helps"
    if high < 0:
        return "hurts"
    return "not decided"


def sentence(
    subject: str,
    decision: Verdict,
    *,
    domain: str | None,
    mean: Mean | None = None,
    among: Slice | None = None,
    because: str,
) -> str:
    """``pooled training helps in r5 (+0.031, 95 % +0.020 to +0.043)``, or, of a mean, ``... on average ...``.

    For a slice: ``pooled training helps in r5 at history_length 0 (...)``.
    """
    average = "on average over all queries" if mean == "queries" else "on average"
    where = (average if domain is None else f"in {domain}") + ("" if among is None else f" at {among}")
    if decision == "not decided":
        return f"whether {subject} helps or hurts {where} is not decided ({because})"
    return f"{subject} {decision} {where} ({because})"


def summary(subject: str, verdicts: Mapping[str, Verdict]) -> str:
    """``pooled training helps in r1 and r5, hurts in r2; not decided in r7``, from the verdicts by domain."""
    domains: dict[Verdict, list[str]] = {}
    for domain, decision in verdicts.items():
        domains.setdefault(decision, []).append(domain)
    phrases = [f"{word} in {listed(domains[word])}" for word in get_args(Verdict) if word in domains]
    if "not decided" not in domains:
        return f"{subject} {', '.join(phrases)}"
    *decided, undecided = phrases
    return f"{subject} {', '.join(decided)}; {undecided}" if decided else f"{subject}: {undecided}"


def listed(words: Iterable[str], conjunction: str = "and") -> str:
    """``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def _rounded(number: float) -> float:
    """The number without rounding errors around 0, and without the sign of a zero."""
    return round(number, 12) + 0.0


def _with_means(values: Array, weights: Array) -> Array:
    """Values by domain (..., D), followed by their means with `weights` (D, 2): (..., D + 2).

    A mean is that of the domains with a value; NaN without any.
    """
    has_value = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        averages = (np.where(has_value, values, 0.0) @ weights) / (has_value @ weights)
    return np.concatenate([values, averages], axis=-1)
