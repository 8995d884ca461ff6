"""The difference of two models in a domain: its value, its 95 % interval over the replicates, and what that says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.evaluation.breakdown import Slice
from adi.evaluation.totals import Totals
from adi.evaluation.verdict import FEWEST_USERS, Verdict, sentence, verdict

INTERVAL = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A model less the baseline in a domain, or (None) in the mean over the domains, with its 95 % interval.

    `among` is the slice of the queries that it is of; None: all. `users` have a query there. The values are None where
    there is no query.
    """

    model: str
    domain: str | None
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
class Pair:
    """Two models in one place: the values of the baseline and the model, their differences in R replicates (R,), how
    many users have a query there, and how many the smallest domain has that the values are of."""

    values: tuple[float, float]
    drawn: Array
    users: int
    fewest: int


@dataclass(frozen=True)
class Measured:
    """What G models reach among the same queries: in D domains, and behind them in the mean over those with queries.

    `values` (G, D + 1), in replicates `drawn` (R, G, D + 1); `users` and `fewest` (D + 1,) as in `Pair`.
    """

    values: Array
    drawn: Array
    users: tuple[int, ...]
    fewest: tuple[int, ...]

    @classmethod
    def of(cls, totals: Sequence[Totals], values: Array, drawn: Array) -> "Measured":
        """From the D domains' totals, the means (G, D) and the replicates' (R, G, D)."""
        in_domain = [len(own.users) for own in totals]
        anywhere = len(np.unique(np.concatenate([own.users for own in totals])))
        fewest = min(count for count in in_domain if count)  # a mean is no surer than its smallest domain
        return cls(_with_mean(values), _with_mean(drawn), (*in_domain, anywhere), (*in_domain, fewest))

    def between(self, baseline: int, model: int, place: int) -> Pair:
        """Two of the models in a domain or, at place D, in the mean."""
        values = self.values[:, place]
        drawn = self.drawn[:, model, place] - self.drawn[:, baseline, place]
        return Pair((float(values[baseline]), float(values[model])), drawn, self.users[place], self.fewest[place])


def difference(
    pair: Pair, *, model: str, subject: str, domain: str | None, among: Slice | None, margin: float
) -> Difference:
    """The difference and its verdict; `subject` is what its sentence is about, see `adi.evaluation.verdict`."""
    if not pair.users:
        said = sentence(subject, "not decided", domain=domain, among=among, because="no queries")
        return Difference(model=model, domain=domain, among=among, users=0, verdict="not decided", sentence=said)
    found = _settled(pair.values[1] - pair.values[0])
    low, high = (_settled(float(bound)) for bound in np.nanquantile(pair.drawn, INTERVAL))
    decided = verdict(low, high, margin=margin, users=pair.fewest)
    because = f"{found:+.3f}, 95 % {low:+.3f} to {high:+.3f}"
    if pair.fewest < FEWEST_USERS:
        because += f", but from {pair.fewest} users only"
    return Difference(
        model=model,
        domain=domain,
        among=among,
        users=pair.users,
        verdict=decided,
        sentence=sentence(subject, decided, domain=domain, among=among, because=because),
        baseline_value=pair.values[0],
        value=pair.values[1],
        difference=found,
        low=low,
        high=high,
    )


def _settled(number: float) -> float:
    """Without what rounding leaves where nothing differs, and without the sign of a zero."""
    return round(number, 12) + 0.0


def _with_mean(values: Array) -> Array:
    """Values by domain (..., D), and behind them their mean over the domains that have queries: (..., D + 1)."""
    asked = ~np.isnan(values).reshape(-1, values.shape[-1]).all(axis=0)
    mean = values[..., asked].mean(axis=-1, keepdims=True)
    return np.concatenate([values, mean], axis=-1)
