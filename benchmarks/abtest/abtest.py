"""A/A analyses of a live marketplace, the power for a planted uplift, and the speed of the simulation."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from adi.abtest.analysis import analyze
from adi.abtest.attribution import attribute
from adi.abtest.clicks import ClickColumns, read_clicks
from adi.abtest.daily import DailySums, read_daily_sums
from adi.abtest.database import working_database
from adi.abtest.exposures import read_exposures
from adi.abtest.plan import Power, plan_from_logs
from adi.abtest.totals import UserTotals, read_totals
from adi.durations import MICROSECONDS
from adi.marketplace.simulation import Marketplace
from adi.online.settings import Online
from benchmarks.abtest.calibration import at_the_end, is_treated, on_any_day, rate, with_planted
from benchmarks.abtest.live import market_of, simulated
from benchmarks.options import AsJson
from benchmarks.report import Report, Row, announce, show

CHARGE = ClickColumns(charge="charge")


def abtest(
    folder: Annotated[Path, typer.Option(help="Keeps the marketplace and the bundle for the next call.")],
    interactions: Annotated[
        int, typer.Option(min=1000, help="Clicks of the log that the model is trained on.")
    ] = 300_000,
    model: Annotated[str, typer.Option(help="The model that both arms serve.")] = "dnn",
    days: Annotated[int, typer.Option(min=2, help="Days of the test.")] = 14,
    requests: Annotated[int, typer.Option(min=100, help="Requests on a day.")] = 20_000,
    salts: Annotated[int, typer.Option(min=1, help="A/A analyses of the one log, each with another salt.")] = 200,
    runs: Annotated[int, typer.Option(min=0, help="Further A/A tests, each simulated with another seed.")] = 5,
    run_days: Annotated[int, typer.Option(min=2, help="Days of these.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Rate of false findings by domain and metric, at the end and on any day, and of a planted uplift that is found.

    Example: [bold]python -m benchmarks abtest --folder bench/abtest[/]
    """
    market = Marketplace(interactions=interactions, users=interactions // 15, items=max(200, interactions // 60))
    market_of(folder, market, model)
    online = Online(days=days, requests=requests)
    shutil.rmtree(folder / "live", ignore_errors=True)
    logs, speed = simulated(folder, "live", online)
    totals, daily = joined(logs)
    announce(f"analysing it {salts} times")
    treated = [is_treated(totals[0].users, str(salt)) for salt in range(salts)]
    findings = at_the_end(totals, treated, salts)
    whole = daily[0]
    ever = on_any_day(whole, treated, days, typical_uplift=0.05)
    power, planned = _power(logs, totals[0], treated, days)
    rows = findings.rows()
    summary: Row = dict(speed)
    summary |= {"any_after_holm": _phrase(findings.families())}
    summary |= {f"ctr_on_any_day_{name}": _phrase(hits) for name, hits in ever.items()}
    summary |= {"planted_ctr_uplift": round(planned, 4), "power_stated": 0.8, "power_found": _phrase(power)}
    if runs:
        summary |= _runs(folder, replace(online, days=run_days), runs, planned)
    settings = {"interactions": interactions, "model": model, "days": days, "requests": requests, "salts": salts}
    show(Report("abtest", settings | {"runs": runs, "run_days": run_days}, rows, summary), as_json)


def joined(logs: Path) -> tuple[list[UserTotals], list[DailySums]]:
    """The totals of users over a whole simulated log, and by day."""
    with working_database("2GB") as connection:
        exposures = read_exposures(connection, logs / "exposures", experiment=None, control=None, arms=None)
        read_clicks(connection, [str(logs / "clicks")], CHARGE)
        attribute(connection, MICROSECONDS["h"], exposures.start)
        retention = 7 * MICROSECONDS["d"]
        totals = read_totals(connection, exposures.arms, end=exposures.end, retention=retention, before=None)
        return totals, read_daily_sums(connection)


def _power(logs: Path, totals: UserTotals, treated: list[np.ndarray], days: int) -> tuple[np.ndarray, float]:
    """Whether a planted uplift of CTR is found (S,), of the size that the plan says is found four times of five."""
    plan = plan_from_logs(logs / "exposures", [logs / "clicks"], Power(power=0.8, days=days), columns=CHARGE)
    (row,) = [each for each in plan.rows if each.domain is None and each.metric == "ctr"]
    uplift, rng = row.horizons[-1].uplift, np.random.default_rng(0)
    hits = [with_planted(totals, who, uplift, rng) < plan.alpha for who in treated]
    return np.array(hits), uplift


def _runs(folder: Path, online: Online, runs: int, uplift: float) -> Row:
    """Whole tests, simulated with other seeds: how many A/A tests find anything, and how many find a planted uplift."""
    of_none, of_planted = [], []
    for seed in range(1, runs + 1):
        for planted in (0.0, 4.0 * uplift):
            shutil.rmtree(folder / "run-live", ignore_errors=True)
            each = replace(online, seed=seed, planted={"treatment": planted} if planted else {})
            logs, _ = simulated(folder, "run-live", each)
            test = analyze(logs / "exposures", logs / "clicks", columns=CHARGE)
            decided = [cell for cell in test.uplifts if cell.verdict in ("helps", "hurts")]
            if planted:
                of_planted.append(any(cell.metric == "ctr" and cell.domain is None for cell in decided))
            else:
                of_none.append(bool(decided))
    return {
        "simulated_aa_with_a_finding": _phrase(np.array(of_none)),
        f"simulated_ctr_uplift_of_{4 * uplift:.1%}_found": _phrase(np.array(of_planted)),
    }


def _phrase(hits: np.ndarray) -> str:
    """``11 of 200, 5.5 % (2.8 % to 9.6 %)``."""
    row = rate(hits)
    return f"{row['found']} of {row['analyses']}, {row['rate']:.1%} (95 %: {row['low']:.1%} to {row['high']:.1%})"
