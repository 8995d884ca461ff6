"""Calibration: how often analyses of an A/A test find something, and how often a planted uplift is found.

One simulated log is divided into two arms again and again, each time by another salt of the hash by which a server
divides its users. The arms do not differ, so that every finding is false.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from adi.abtest.analysis import uplifts
from adi.abtest.correction import ALPHA, corrected
from adi.abtest.daily import DailySums
from adi.abtest.metrics import METRICS
from adi.abtest.moments import estimate
from adi.abtest.sequential import always_valid
from adi.abtest.totals import UserTotals
from adi.data.arrays import Array
from adi.serving.experiment import Experiment
from benchmarks.report import Row

ARMS = ("control", "treatment")


def is_treated(users: Array, salt: str) -> Array:
    """Whether each user has the treatment, by the hash of `adi serve`."""
    arms = {name: {"bundle": name, "weight": 1} for name in ARMS}
    experiment = Experiment.model_validate({"name": "aa", "salt": salt, "arms": arms})
    return np.array([experiment.arm_of(user) == "treatment" for user in users.tolist()])


@dataclass(frozen=True)
class Findings:
    """The p-values of T tests by salts: (S, T), NaN where no interval is claimed, and the tests' names."""

    names: tuple[tuple[str, str], ...]
    p: Array

    def rows(self) -> list[Row]:
        """The share of salts with p < 5 % by test, and its 95 % binomial (Clopper-Pearson) interval."""
        rows: list[Row] = []
        for (domain, metric), p in zip(self.names, self.p.T, strict=True):
            tested = p[~np.isnan(p)]
            rows.append({"domain": domain, "metric": metric, **rate(tested < ALPHA)})
        return rows

    def families(self) -> Array:
        """Whether Holm's correction leaves any finding of a salt (S,)."""
        return np.array([min(corrected(row[~np.isnan(row)].tolist()), default=1.0) < ALPHA for row in self.p])


def rate(hits: Array) -> Row:
    """The share of analyses with a finding, and its 95 % binomial interval."""
    if not len(hits):
        return {"analyses": 0, "found": None, "rate": None, "low": None, "high": None}
    count = int(np.count_nonzero(hits))
    interval = stats.binomtest(count, len(hits)).proportion_ci()
    share = round(count / len(hits), 4)
    return {
        "analyses": len(hits),
        "found": count,
        "rate": share,
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
    }


def at_the_end(totals: Sequence[UserTotals], treated: Sequence[Array], salts: int) -> Findings:
    """The tests of a whole log, each metric in each domain; `treated` says for each salt who has the treatment.

    `treated` are over the users of all domains together, which are the first totals.
    """
    position = {user: number for number, user in enumerate(totals[0].users.tolist())}
    where = [np.array([position[user] for user in each.users.tolist()]) for each in totals]
    metrics = list(METRICS.values())
    p = []
    for salt in range(salts):
        divided = [
            replace(each, arms=treated[salt][rows].astype(np.int64)) for each, rows in zip(totals, where, strict=True)
        ]
        cells = uplifts(divided, ARMS, metrics, None)
        p.append([np.nan if cell.p is None else cell.p for cell in cells])
    return Findings(tuple((cell.where, cell.metric) for cell in cells), np.array(p))


def on_any_day(daily: DailySums, treated: Sequence[Array], days: int, *, typical_uplift: float) -> dict[str, Array]:
    """Whether CTR is ever found to differ (S,) by someone who looks every day, by interval.

    ``fixed`` intervals are for one look, ``always_valid`` ones for any number.
    """
    ever = {name: np.zeros(len(treated), dtype=bool) for name in ("fixed", "always_valid")}
    for day in range(1, days + 1):
        users, totals = daily.until(day)
        for salt, who in enumerate(treated):
            chosen = who[users]
            control, treatment = ({name: values[rows] for name, values in totals.items()} for rows in (~chosen, chosen))
            fixed = estimate(METRICS["ctr"], control, treatment)
            ever["fixed"][salt] |= fixed.p < ALPHA
            ever["always_valid"][salt] |= always_valid(fixed, typical_uplift=typical_uplift).p < ALPHA
    return ever


def with_planted(totals: UserTotals, treated: Array, uplift: float, rng: np.random.Generator) -> float:
    """The p-value of CTR where the treatment has an uplift: so many more clicks, each drawn from its clicks.

    The control stays as it is, since the plan states its power for the CTR that the log has.
    """
    clicks = totals.columns["clicks"].astype(np.int64)
    planted = np.where(treated, clicks * (1 + int(uplift)) + rng.binomial(clicks, uplift % 1.0), clicks)
    columns = dict(totals.columns) | {"clicks": planted.astype(np.float64)}
    control, treatment = ({name: values[rows] for name, values in columns.items()} for rows in (~treated, treated))
    return estimate(METRICS["ctr"], control, treatment).p
