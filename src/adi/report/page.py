"""A report: runs side by side in one HTML file, which opens without a network and asks no other host for anything."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import altair
import vl_convert

from adi.errors import AdiError
from adi.evaluation.groups import group_runs
from adi.report import sections
from adi.report.breakdown import breakdown
from adi.report.charts import Specification
from adi.report.comparison import compared, differences
from adi.report.elements import Figures
from adi.report.interest import interest
from adi.report.self_training import self_training
from adi.report.style import CHART_CONFIG, STYLE
from adi.report.tables import Html, text
from adi.runs.run import Run, read_runs

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""Content-Security-Policy: the browser itself refuses whatever would be asked of another host."""

DRAW = """
for (const [id, specification] of Object.entries(charts)) {
  const place = document.getElementById(id);
  vegaEmbed(place, specification, options).catch(error => { place.textContent = "No chart: " + error.message; });
}
"""


def write_report(runs: Sequence[Path], out: Path, *, baseline: str | None = None) -> None:
    """Compare evaluated runs in one self-contained HTML file.

    `runs` are folders that ``adi train`` wrote and ``adi evaluate`` scored. Runs that differ by their seed alone become
    one row, mean ± standard deviation. `baseline` is the model that the differences are to, see
    `adi.evaluation.comparison.compare`. An existing `out` is replaced, once the new page is complete.

    Raises `AdiError` when a run lacks a file, when runs were tested on different data, or when `out` cannot be written.

        write_report([Path("runs/popularity"), Path("runs/adi-se")], Path("report.html"))
    """
    if out.is_dir():
        raise AdiError(f"{out}: is a folder. Name the report's file: --out {out / 'report.html'}")
    page = render(read_runs(runs), baseline=baseline)
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, out)
    except OSError as error:
        with suppress(OSError):  # whether it can be removed or not, the first error is the one to tell
            partial.unlink()
        raise AdiError(f"{out}: cannot be written ({error.strerror}). Choose another place with --out.") from None


def render(runs: Sequence[Run], *, baseline: str | None = None) -> str:
    """The whole page of the runs."""
    groups = group_runs(runs)
    ks = _common_ks(runs)
    k = ks[len(ks) // 2]
    figures = Figures()
    comparison = compared(groups, k=k, baseline=baseline)
    body = (
        sections.recall(groups, figures, ks=ks, k=k),
        differences(groups, figures, comparison),
        sections.learning(groups, figures, k=k),
        breakdown(groups, figures, comparison, k=k),
        interest(groups, figures),
        self_training(groups, figures),
        sections.provenance(groups),
    )
    title = text(f"Recall in {len(runs[0].info.domains)} domains")
    return document(title, sections.lead(groups, k=k), Html("".join(body)), figures.specifications)


def _common_ks(runs: Sequence[Run]) -> list[int]:
    """The K at which every run was evaluated, ascending; the middle one heads the report."""
    ks = sorted(k for k in set(runs[0].metrics.ks) if all(k in run.metrics.ks for run in runs))
    if not ks:
        listed = "; ".join(f"{run.folder}: {', '.join(map(str, run.metrics.ks))}" for run in runs)
        raise AdiError(f"The runs have no K of Recall@K in common ({listed}). Evaluate them at the same K.")
    return ks


def document(title: Html, lead: Html, body: Html, specifications: dict[str, Specification]) -> str:
    """A self-contained page: its heading, what it begins with, its sections, and the charts in them by their places."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{title}</h1>{lead}</header>
<main>{body}</main>
<noscript><p>The charts need JavaScript; the tables hold the figures without it.</p></noscript>
<footer>Written by adi. This file holds all it needs and asks no host for anything.</footer>
<script>{_vega()}</script>
<script>
const charts = {_script_json(specifications)};
const options = {_script_json(_options())};
{DRAW}</script>
</body>
</html>
"""


def _options() -> dict[str, object]:
    """Of vega-embed. `ast` makes Vega interpret its expressions, for which the page's policy would else need eval."""
    actions = {"export": True, "source": False, "compiled": False, "editor": False}
    return {"mode": "vega-lite", "renderer": "svg", "ast": True, "actions": actions, "config": CHART_CONFIG}


def _script_json(value: object) -> str:
    """JSON that cannot end the script element it stands in, whatever its strings hold."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


@cache
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, in the version that Altair's specifications are written for."""
    major, minor, *_ = altair.SCHEMA_VERSION.removeprefix("v").split(".")
    script: str = vl_convert.javascript_bundle(snippet="window.vegaEmbed = vegaEmbed;", vl_version=f"{major}.{minor}")
    return script
