"""Off-policy estimates of an arm from another's log, held against the hidden truth and against the arm itself."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import pyarrow.parquet as pq
import typer
import yaml

from adi.abtest.metrics import METRICS
from adi.abtest.offpolicy import Estimates, Value, evaluate_off_policy
from adi.errors import ArgumentError, differences
from adi.exporting.export import export
from adi.online.settings import Online
from adi.online.simulate import simulate_experiment
from benchmarks.options import AsJson
from benchmarks.report import Report, Row, announce, show

PAIRS = {"logging": "other", "other": "random", "random": "logging"}
"""The arm that is estimated from the log of each arm."""

TRUTH = {"ctr": "true_clicks", "rpm": "true_charge"}
Z = 1.96

Cell = dict[str, Any]
"""One estimate: pair, domain, metric, estimator, value, error, truth, live value and its error, and trusted."""


def offpolicy(
    market: Annotated[Path, typer.Option(help="Folder that adi simulate wrote.")],
    logging: Annotated[Path, typer.Option(help="Run that was trained on it: the arm that logs.")],
    other: Annotated[Path, typer.Option(help="Another run: the arm to be estimated.")],
    out: Annotated[Path, typer.Option(help="Keeps the bundles and each seed's estimates for the next call.")],
    seeds: Annotated[int, typer.Option(min=1, help="Simulations, each with other users in the arms.")] = 20,
    days: Annotated[int, typer.Option(min=1, help="Days of each.")] = 1,
    requests: Annotated[int, typer.Option(min=100, help="Requests on a day, of four arms together.")] = 20_000,
    candidates: Annotated[int, typer.Option(min=1, help="Items that an arm retrieves for a request.")] = 500,
    explore: Annotated[float, typer.Option(help="Temperature of the random choice of the shown item.")] = 0.3,
    as_json: AsJson = False,
) -> None:
    """Error and coverage of IPS, SNIPS and doubly robust estimates, for a close pair of arms and for far ones.

    Example: [bold]python -m benchmarks offpolicy --market market --logging runs/dnn --other runs/adi-se --out out[/]
    """
    online = Online(days=days, requests=requests, candidates=candidates, explore=explore, slots=1, others=PAIRS)
    settings = {"days": days, "requests": requests, "candidates": candidates, "explore": explore}
    _check_settings(out, settings | {"logging": str(logging.resolve()), "other": str(other.resolve())})
    for name, run in (("logging", logging), ("other", other)):
        if not (out / name).exists():
            export(run, out / name)
    cells = []
    for seed in range(seeds):
        file = out / f"seed-{seed:03}.json"
        if not file.exists():
            announce(f"simulating {days} days with {requests:,} requests, seed {seed}")
            partial = file.with_suffix(".partial")
            partial.write_text(json.dumps(list(_cells(market, out, online, seed))), encoding="utf-8")
            os.replace(partial, file)
        cells += json.loads(file.read_text(encoding="utf-8"))
    show(Report("offpolicy", settings | {"seeds": seeds}, summary_rows(cells), coverage_by_trust(cells)), as_json)


def _check_settings(out: Path, settings: dict[str, Any]) -> None:
    """Write the settings of a new folder; raise `ArgumentError` for a folder of other settings."""
    file = out / "settings.json"
    if file.exists():
        if changed := differences(json.loads(file.read_text(encoding="utf-8")), settings):
            raise ArgumentError("out", f"{out}: {changed}. Choose another folder.")
        return
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings), encoding="utf-8")


def _cells(market: Path, out: Path, online: Online, seed: int) -> Iterator[Cell]:
    """Simulate the arms with a seed, and estimate each of `PAIRS`; the logs are removed."""
    experiment, live = out / "offpolicy.yaml", out / "live"
    arms = {name: {"bundle": name, "weight": 1} for name in ("logging", "other")}
    content = {"name": "offpolicy", "salt": f"offpolicy-{seed}", "control": "logging", "arms": arms}
    experiment.write_text(yaml.safe_dump(content), encoding="utf-8")
    shutil.rmtree(live, ignore_errors=True)
    settings = Online(**(vars(online) | {"seed": seed}))
    simulate_experiment(market, experiment, live, settings, bounds=True, progress=False)
    estimates = {arm: evaluate_off_policy(live / "shown" / arm).domains for arm in PAIRS}
    for arm, other in PAIRS.items():
        for here in estimates[arm]:
            truth = _truth(live / "shown" / arm, here.domain)
            (there,) = [each for each in estimates[other] if each.domain == here.domain]
            yield from _cells_of(f"{other} from {arm}", here, there, truth)
    shutil.rmtree(live)


def _truth(log: Path, domain: str | None) -> dict[str, float]:
    """The values that the other arm would have had at the requests of a log, by metric."""
    table = pq.read_table(log, filters=None if domain is None else [("domain", "=", domain)])
    return {name: METRICS[name].scale * fmean(table[column].to_pylist()) for name, column in TRUTH.items()}


def _cells_of(pair: str, here: Estimates, there: Estimates, truth: dict[str, float]) -> Iterator[Cell]:
    """A cell for each metric and estimator, and for the logging arm's value as an estimate of the other."""
    for metric, values in here.metrics.items():
        live = there.metrics[metric]["measured"]
        for estimator, value in values.items():
            yield {
                "pair": pair,
                "domain": here.where,
                "metric": metric,
                "estimator": estimator,
                "supported": here.supported,
                "effective": here.effective,
                "trusted": here.trusted,
                "truth": truth[metric],
                **_named("estimate", value),
                **_named("live", live),
            }


def _named(name: str, value: Value) -> Cell:
    return {name: value.value, f"{name}_error": value.error}


def summary_rows(cells: Sequence[Cell]) -> list[Row]:
    """A row for each pair, metric and estimator, of all domains together."""
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        if cell["domain"] == "all domains" and cell["estimate"] is not None:
            groups.setdefault((cell["pair"], cell["metric"], cell["estimator"]), []).append(cell)
    return [
        {
            "pair": pair,
            "metric": metric,
            "estimator": estimator,
            "trusted": f"{sum(cell['trusted'] for cell in group)} of {len(group)}",
            "supported": round(fmean(cell["supported"] for cell in group), 3),
            "truth": round(fmean(cell["truth"] for cell in group), 4),
            "live": round(fmean(cell["live"] for cell in group), 4),
            "estimate": round(fmean(cell["estimate"] for cell in group), 4),
            "bias": round(fmean(cell["estimate"] / cell["truth"] - 1.0 for cell in group), 4),
            "error": round(math.sqrt(fmean((cell["estimate"] / cell["truth"] - 1.0) ** 2 for cell in group)), 4),
            "holds_truth": _share([covers_truth(cell) for cell in group]),
            "agrees_with_live": _share([agrees_with_live(cell) for cell in group]),
        }
        for (pair, metric, estimator), group in groups.items()
    ]


def coverage_by_trust(cells: Sequence[Cell]) -> Row:
    """The share of the intervals of estimates that hold the truth, with trust and without, over all domains."""
    summary: Row = {}
    for trusted, name in ((True, "trusted"), (False, "not_trusted")):
        for estimator in ("measured", "ips", "snips", "dr"):
            here = [cell for cell in cells if cell["estimator"] == estimator and cell["trusted"] == trusted]
            summary[f"{name}_{estimator}_holds_truth"] = _share([covers_truth(cell) for cell in here])
    return summary


def covers_truth(cell: Cell) -> bool | None:
    """True if the estimate's 95 % interval holds the truth at the same requests; None without an interval."""
    error = cell["estimate_error"]
    return None if error is None else bool(abs(cell["estimate"] - cell["truth"]) <= Z * error)


def agrees_with_live(cell: Cell) -> bool | None:
    """True if the estimate differs from what the arm itself measured by no more than both errors explain."""
    if cell["estimate_error"] is None or cell["live_error"] is None:
        return None
    error = math.hypot(cell["estimate_error"], cell["live_error"])
    return bool(abs(cell["estimate"] - cell["live"]) <= Z * error)


def _share(hits: Sequence[bool | None]) -> str:
    """``19 of 20``, of those with an interval."""
    known = [hit for hit in hits if hit is not None]
    return f"{sum(known)} of {len(known)}"
