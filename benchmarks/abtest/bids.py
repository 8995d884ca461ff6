"""RPM against CTR by the weight of bids in retrieval: one simulated experiment with an arm for each weight."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import altair as alt
import typer
import yaml

from adi.abtest.analysis import analyze
from adi.abtest.clicks import ClickColumns
from adi.abtest.result import AbTest
from adi.abtest.uplift import Uplift
from adi.online.settings import Online
from adi.online.simulate import simulate_experiment
from adi.report.charts import Specification
from adi.reproduce.charts import write_picture
from benchmarks.options import AsJson
from benchmarks.report import Report, Row, announce, show

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Multiples of the weight at which bids spread scores as widely as the model does."""

CONTROL = "0"
"""The arm whose requests ignore bids; arms are named by their weight."""


def bids(
    market: Annotated[Path, typer.Option(help="Folder that adi simulate wrote.")],
    bundle: Annotated[Path, typer.Option(help="A bundle with bids of a run that was trained on it.")],
    out: Annotated[Path, typer.Option(help="Folder for bids.csv, bids.png and the logs; it must not exist.")],
    days: Annotated[int, typer.Option(min=1, help="Days to simulate.")] = 14,
    requests: Annotated[int, typer.Option(min=100, help="Requests on a day, of all weights together.")] = 60_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same numbers.")] = 0,
    as_json: AsJson = False,
) -> None:
    """RPM, CTR and PPC by domain for bid weights of 0, 1/4, 1/2, 1, 2 and 4 times a bundle's middle weight.

    Example: [bold]python -m benchmarks bids --market market --bundle bundle --out bench/bids[/]
    """
    out.mkdir(parents=True)
    names = {f"{weight:g}": weight for weight in WEIGHTS}
    arms = {name: {"bundle": str(bundle.resolve()), "weight": 1} for name in names}
    experiment = out / "bids.yaml"
    experiment.write_text(yaml.safe_dump({"name": "bids", "control": CONTROL, "arms": arms}), encoding="utf-8")
    announce(f"simulating {days} days with {requests:,} requests")
    online = Online(days=days, requests=requests, seed=seed, bid_weights={name: w for name, w in names.items() if w})
    simulate_experiment(market, experiment, out / "live", online, progress=False)
    test = analyze(
        out / "live" / "exposures", out / "live" / "clicks", columns=ClickColumns(charge="charge"), control=CONTROL
    )
    rows = curve(test)
    with (out / "bids.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    domains = [domain or "all domains" for domain in test.domains]
    charts = [chart([row for row in rows if row["domain"] == domain], title=domain) for domain in domains]
    write_picture(out / "bids.png", charts, title="RPM against CTR by the weight of bids", looks=[], columns=2)
    show(Report("bids", {"days": days, "requests": requests, "seed": seed}, rows), as_json)


def curve(test: AbTest) -> list[Row]:
    """A row for each domain and weight: RPM and CTR with their uplift over weight 0 and its 95 % interval, and PPC."""
    cells = {(cell.arm, cell.where, cell.metric): cell for cell in test.uplifts}
    return [
        {"domain": domain, "weight": float(arm), **_values(cells, arm, domain)}
        for domain in (each or "all domains" for each in test.domains)
        for arm in sorted(test.arms, key=float)
    ]


def _values(cells: Mapping[tuple[str, str, str], Uplift], arm: str, domain: str) -> Row:
    """The metrics of an arm in a domain. Those of weight 0 are the control's, beside any other arm."""
    row: Row = {}
    for metric in ("rpm", "ctr"):
        cell = cells[arm if arm != CONTROL else f"{WEIGHTS[-1]:g}", domain, metric]
        values = (cell.value, cell.uplift, cell.low, cell.high)
        value, *uplift = values if arm != CONTROL else (cell.control_value, 0.0, 0.0, 0.0)
        row[metric] = _rounded(value)
        row |= {
            f"{metric}_{name}": _rounded(each) for name, each in zip(("uplift", "low", "high"), uplift, strict=True)
        }
    price = cells[arm if arm != CONTROL else f"{WEIGHTS[-1]:g}", domain, "ppc"]
    return row | {"ppc": _rounded(price.value if arm != CONTROL else price.control_value)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def chart(rows: list[Row], *, title: str) -> Specification:
    """The uplift of RPM over that of CTR, a point for each weight, with the interval of RPM."""
    base = alt.Chart(alt.InlineData(values=list(rows)), title=title, width=300, height=220).encode(
        x=alt.X("ctr_uplift:Q", title="CTR against weight 0", axis=alt.Axis(format="+~%", tickCount=5)),
        order="weight:Q",
    )
    y = alt.Y("rpm_uplift:Q", title="RPM against weight 0", axis=alt.Axis(format="+~%", tickCount=5))
    lines = base.mark_line(strokeWidth=1.5, color="#8c959f").encode(y=y)
    bars = base.mark_rule().encode(y=alt.Y("rpm_low:Q", title="RPM against weight 0"), y2="rpm_high:Q")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(y=y)
    labels = base.mark_text(align="left", dx=7, dy=-7, fontSize=11).encode(y=y, text="weight:N")
    specification: Specification = alt.layer(lines, bars, points, labels).to_dict()
    return specification
