"""The report: runs side by side in one self-contained HTML file, which opens without a network."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import altair
import vl_convert

from adi.data.folder import replace_file
from adi.errors import AdiError, ArgumentError
from adi.report import sections
from adi.report.charts import Specification
from adi.report.differences import compared, differences
from adi.report.elements import Figures, Html, text
from adi.report.examples import example_lists, image_sources
from adi.report.interest import interest
from adi.report.list_contents import list_contents
from adi.report.pair import side_by_side
from adi.report.self_training import self_training
from adi.report.style import CHART_CONFIG, DARK_CONFIG
from adi.runs.groups import group_runs
from adi.runs.run import Run, read_runs

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""Content-Security-Policy: the browser refuses requests to other hosts, but for the pictures of items."""

STYLE, THEME, BEHAVIOUR = (
    (Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("page.css", "theme.js", "page.js")
)


def write_report(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    baseline: str | None = None,
    examples: int = 2,
    pair: tuple[str, str] | None = None,
) -> None:
    """Write a self-contained HTML file that compares evaluated runs. An existing file is replaced as a whole.

    Args:
        runs: folders of evaluated runs; runs that differ by their seed alone become one row, mean ± standard deviation.
        out: the HTML file.
        baseline: the model that differences are to, see `adi.comparison.compare.compare`.
        examples: test queries of each domain whose lists are shown, drawn alike each time; 0: none.
        pair: the labels of the two models that are shown side by side; None: the best, and the best of those that are
            not trained.

    Raises `AdiError` for a run that lacks a file, runs that were tested on different data, and a file that cannot be
    written.

        write_report(["runs/popularity", "runs/adi-se"], "report.html")
    """
    file = Path(out)
    if file.is_dir():
        raise ArgumentError("out", f"{file} is a folder. Name the report's file, such as {file / 'report.html'}.")
    if examples < 0:
        raise ArgumentError("examples", f"{examples}; give a number of test queries, or 0 for none.")
    page = render(read_runs([Path(run) for run in runs]), baseline=baseline, number=examples, pair=pair)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, page.encode())
    except OSError as error:
        raise ArgumentError("out", f"{file} cannot be written ({error.strerror}). Choose another path.") from None


def render(
    runs: Sequence[Run], *, baseline: str | None = None, number: int = 2, pair: tuple[str, str] | None = None
) -> str:
    """The page of the runs, with a `number` of examples for each domain."""
    groups = group_runs(runs)
    ks = _common_ks(runs)
    k = ks[len(ks) // 2]
    figures = Figures()
    comparison = compared(groups, k=k, baseline=baseline)
    body = (
        sections.recall(groups, figures, ks=ks, k=k),
        differences(groups, figures, comparison),
        side_by_side(groups, figures, k=k, labels=pair),
        example_lists(groups, number=number),
        list_contents(groups, figures, k=k),
        sections.learning(groups, figures, k=k),
        sections.breakdowns(groups, figures, comparison, k=k),
        interest(groups, figures),
        self_training(groups, figures),
        sections.provenance(groups),
    )
    title = text(f"Recall in {len(runs[0].domains)} domains")
    lead, content = sections.lead(groups, comparison, k=k), Html("".join(body))
    return document(title, lead, content, figures.specifications, images=image_sources(runs[0]) if number else ())


def _common_ks(runs: Sequence[Run]) -> list[int]:
    """The list lengths at which every run was evaluated, ascending; the report is headed by the middle one."""
    ks = sorted(k for k in set(runs[0].metrics.ks) if all(k in run.metrics.ks for run in runs))
    if not ks:
        listed = "; ".join(f"{run.folder}: {', '.join(map(str, run.metrics.ks))}" for run in runs)
        raise AdiError(f"the runs have no K of Recall@K in common ({listed}). Evaluate them at the same K.")
    return ks


def document(
    title: Html,
    lead: Html,
    body: Html,
    specifications: dict[str, Specification],
    *,
    images: Sequence[str] = (),
) -> str:
    """A self-contained page from its heading, lead and sections, and the charts of the sections by their ids.

    Pictures may come from `images`, sources as in a Content-Security-Policy.
    """
    policy = " ".join([POLICY, *images])
    requests = (
        f"no network requests but for pictures of items ({', '.join(images)})" if images else "no network requests"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{text(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
<script>{THEME}</script>
</head>
<body>
<header><h1>{title}</h1>{lead}</header>
<main>{body}</main>
<noscript><p>Charts need JavaScript; the tables have their numbers.</p></noscript>
<footer>Written by adi. This file is self-contained and makes {text(requests)}.</footer>
<script>{_vega()}</script>
<script>
const charts = {_script_json(specifications)};
const looks = {_script_json({"light": _options(CHART_CONFIG), "dark": _options(DARK_CONFIG)})};
{BEHAVIOUR}</script>
</body>
</html>
"""


def _options(config: dict[str, Any]) -> dict[str, object]:
    """Options of vega-embed in the colours of a theme.

    With `ast` Vega interprets its expressions; compiling them would need eval, which the page's policy refuses.
    """
    return {"mode": "vega-lite", "renderer": "svg", "ast": True, "actions": False, "config": config}


def _script_json(value: object) -> str:
    """JSON that cannot end the script element around it, whatever its strings contain."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


@cache
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, in the version of Altair's specifications."""
    major, minor, *_ = altair.SCHEMA_VERSION.removeprefix("v").split(".")
    script: str = vl_convert.javascript_bundle(snippet="window.vegaEmbed = vegaEmbed;", vl_version=f"{major}.{minor}")
    return script
