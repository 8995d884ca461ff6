"""The plan of a test: the smallest uplift that so many days detect, and the days that an uplift needs.

From a past log, users' totals over its first day, its first two days, and so on: users come again, so that twice the
days are not twice the users. Beyond the log's length the smallest uplift is taken to fall with the square root of the
days. From given rates, every user comes on one day alone, clicks are independent and charges exponential: real users
vary more, so that this is the least that a test needs.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tea_tasting.aggr import Aggregates

from adi.abtest.analysis import check_positive
from adi.abtest.attribution import attribute
from adi.abtest.clicks import ClickColumns, read_clicks
from adi.abtest.correction import ALPHA
from adi.abtest.daily import DailySums, read_daily_sums
from adi.abtest.database import working_database
from adi.abtest.exposures import open_log
from adi.abtest.faults import Fault
from adi.abtest.join import duration
from adi.abtest.metrics import METRICS, Metric
from adi.abtest.moments import aggregates, ratio_of_means
from adi.abtest.uplift import FEWEST_EVENTS, FEWEST_USERS
from adi.errors import AdiError, ArgumentError

PLANNED = ("rpm", "ppc", "ctr")
"""The metrics that are planned for. Retention needs a log much longer than the time within which users return."""


@dataclass(frozen=True, kw_only=True)
class Horizon:
    """A test of so many days: the users that it would have in both arms, and the smallest uplift that it detects.

    `extrapolated` beyond the length of the log.
    """

    days: int
    users: int
    uplift: float
    extrapolated: bool


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """The plan for a metric in a domain (None: all together): its value, horizons, and the days that the uplift needs.

    `needed` is None, and `horizons` empty, where the log has too few users or clicks to say (`reason`).
    """

    domain: str | None
    metric: str
    value: float | None
    needed: int | None
    horizons: tuple[Horizon, ...]
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a test; `alpha` is the level of each of its tests, by Bonferroni the first step of Holm's."""

    uplift: float
    power: float
    alpha: float
    share: float
    days: int
    log_days: int | None
    rows: tuple[PlanRow, ...]
    faults: tuple[Fault, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it in plain values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Power:
    """The uplift that a test should detect, and the probability that it does. `share` is the treatment's share of the
    users; the control has the rest."""

    uplift: float = 0.05
    power: float = 0.8
    share: float = 0.5
    days: int = 14

    def __post_init__(self) -> None:
        check_positive(uplift=self.uplift, power=self.power, share=self.share)
        if not 1 <= self.days <= 365:
            raise ArgumentError("days", f"{self.days}; give whole days from 1 to 365.")


def plan_from_logs(
    logs: str | Path,
    clicks: Sequence[str | Path],
    power: Power,
    *,
    columns: ClickColumns | None = None,
    window: str = "1h",
    memory: str = "2GB",
) -> Plan:
    """Plan a test from the exposures and clicks of the past, of whatever arm; the arguments are those of `analyze`.

    Raises `AdiError` as `analyze` does, and for a log of less than a day.
    """
    columns = columns or ClickColumns()
    with working_database(memory) as connection:
        open_log(connection, Path(logs))
        connection.execute("""
            CREATE TABLE lists AS
            SELECT filename, file_row_number, user_id, domain, arm, version, served AS time,
                   row_number() OVER (ORDER BY served, user_id, domain, place) AS list
            FROM log WHERE user_id IS NOT NULL AND user_id <> '' AND served IS NOT NULL AND domain IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY user_id, served, place, domain
                                       ORDER BY filename, file_row_number) = 1""")
        span = connection.execute("SELECT min(time), max(time) FROM lists").fetchone()
        if span is None or span[0] is None:
            raise AdiError(f"{logs}: no exposure of a user. Name the logs of real traffic.")
        faults = read_clicks(connection, [str(path) for path in clicks], columns)
        faults += attribute(connection, duration(window, "window"), span[0])
        log_days = int((span[1] - span[0]).total_seconds() / 86_400.0 + 0.25)  # a day's last list comes before its end
        if not log_days:
            raise AdiError(f"{logs}: spans less than a day. Users' variation over days is read from a longer log.")
        sums = read_daily_sums(connection)
    metrics = [METRICS[name] for name in PLANNED if columns.charge is not None or not METRICS[name].needs_charge]
    alpha = ALPHA / (len(metrics) * len(sums))
    rows = [
        _row_of_log(metric, daily, power=power, alpha=alpha, log_days=log_days) for daily in sums for metric in metrics
    ]
    return _plan(power, alpha, log_days, rows, faults)


def plan_from_rates(
    power: Power, *, users_a_day: float, exposures_a_user: float, ctr: float, ppc: float | None = None
) -> Plan:
    """Plan a test from the users of a day, their exposures, their CTR and the charge of a click."""
    check_positive(ctr=ctr)
    for name, value in (("users_a_day", users_a_day), ("exposures_a_user", exposures_a_user), ("ppc", ppc)):
        if value is not None and not 0 < value < math.inf:
            raise ArgumentError(name, f"{value}; give a number above 0.")
    metrics = [METRICS[name] for name in PLANNED if ppc is not None or not METRICS[name].needs_charge]
    alpha, price = ALPHA / len(metrics), ppc or 0.0
    clicks, variance = exposures_a_user * ctr, exposures_a_user * ctr * (1.0 - ctr)
    moments = Aggregates(
        count_=2,
        mean_={"exposures": exposures_a_user, "clicks": clicks, "charge": clicks * price},
        var_={"exposures": 0.0, "clicks": variance, "charge": clicks * price**2 + variance * price**2},
        cov_={("clicks", "exposures"): 0.0, ("charge", "exposures"): 0.0, ("charge", "clicks"): variance * price},
    )
    rows = []
    for metric in metrics:
        one_day = _detectable(metric, moments, round(users_a_day), power=power, alpha=alpha)
        needed = math.ceil((one_day / power.uplift) ** 2)
        horizons = tuple(
            Horizon(days=day, users=round(users_a_day * day), uplift=one_day / math.sqrt(day), extrapolated=False)
            for day in range(1, power.days + 1)
        )
        value = metric.scale * moments.mean(metric.numerator) / moments.mean(metric.denominator)
        rows.append(PlanRow(domain=None, metric=metric.name, value=value, needed=needed, horizons=horizons))
    return _plan(power, alpha, None, rows, ())


def _row_of_log(metric: Metric, daily: DailySums, *, power: Power, alpha: float, log_days: int) -> PlanRow:
    domain, whole = daily.domain, daily.until(log_days)[1]
    users, events = (int(np.count_nonzero(whole[name])) for name in (metric.denominator, metric.numerator))
    if users < 2 * FEWEST_USERS or events < 2 * FEWEST_EVENTS:
        reason = f"{users} users and {events} with any {metric.numerator}: fewer than a test needs"
        return PlanRow(domain=domain, metric=metric.name, value=None, needed=None, horizons=(), reason=reason)
    names = [metric.numerator, metric.denominator]
    horizons = []
    for days in range(1, min(log_days, power.days) + 1):
        _, totals = daily.until(days)
        if np.count_nonzero(totals[metric.numerator]) < 2 * FEWEST_EVENTS:
            continue
        size = len(totals[metric.denominator])
        uplift = _detectable(metric, aggregates(totals, names), size, power=power, alpha=alpha)
        horizons.append(Horizon(days=days, users=size, uplift=uplift, extrapolated=False))
    size = len(whole[metric.denominator])
    last = _detectable(metric, aggregates(whole, names), size, power=power, alpha=alpha)
    horizons += [
        Horizon(days=days, users=size, uplift=last * math.sqrt(log_days / days), extrapolated=True)
        for days in range(log_days + 1, power.days + 1)
    ]
    needed = next((each.days for each in horizons if each.uplift <= power.uplift), None)
    if needed is None:
        needed = max(power.days + 1, math.ceil(log_days * (last / power.uplift) ** 2))
    value = metric.scale * whole[metric.numerator].sum() / whole[metric.denominator].sum()
    return PlanRow(domain=domain, metric=metric.name, value=float(value), needed=needed, horizons=tuple(horizons))


def _detectable(metric: Metric, moments: Aggregates, users: int, *, power: Power, alpha: float) -> float:
    """The smallest relative uplift that a test with so many users detects with the power."""
    test = ratio_of_means(metric, alpha=alpha, power=power.power, ratio=power.share / (1.0 - power.share))
    test.n_obs = users
    (solved,) = test.solve_power_from_aggregates(moments, "rel_effect_size")
    return float(solved.rel_effect_size)


def _plan(power: Power, alpha: float, log_days: int | None, rows: Sequence[PlanRow], faults: tuple[Fault, ...]) -> Plan:
    return Plan(
        uplift=power.uplift,
        power=power.power,
        alpha=alpha,
        share=power.share,
        days=power.days,
        log_days=log_days,
        rows=tuple(rows),
        faults=faults,
    )
