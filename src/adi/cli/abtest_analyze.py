"""The command abtest analyze: the arms of an experiment, compared by what users did and advertisers paid."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.exit_codes import REGRESSION
from adi.cli.log import LOG
from adi.cli.options import AsJson
from adi.cli.progress import working
from adi.cli.show import plain_table, say, say_json

if TYPE_CHECKING:
    from adi.abtest.result import AbTest

Logs = Annotated[Path, typer.Argument(help="Folder of exposures, as adi serve --exposures writes them.")]
Clicks = Annotated[
    list[str], typer.Option("--clicks", help="Clicks: Parquet or CSV, a file, folder or glob; repeatable.")
]
UserColumn = Annotated[str, typer.Option("--user", help="The clicks' user column.")]
ItemColumn = Annotated[str, typer.Option("--item", help="The clicks' item column.")]
DomainColumn = Annotated[str, typer.Option("--domain", help="The clicks' domain column.")]
TimeColumn = Annotated[str, typer.Option("--time", help="The clicks' time column; times without a zone are UTC.")]
ChargeColumn = Annotated[
    str | None,
    typer.Option("--charge", help="The clicks' column of charges; without it, CTR and retention alone are reported."),
]
Window = Annotated[str, typer.Option(help="Longest time from a list to a click that belongs to it.")]
Retention = Annotated[str, typer.Option(help="Time within which a user is to come again, a day or more later.")]
Memory = Annotated[str, typer.Option(help="Memory of DuckDB; what does not fit goes to disk.")]


def analyze(
    logs: Logs,
    clicks: Clicks,
    experiment: Annotated[
        str | None,
        typer.Option(help="The experiment's file, which has the weights, or its name.", show_default="the only one"),
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="The arm that the others are compared with.", show_default="control")
    ] = None,
    user: UserColumn = "user",
    item: ItemColumn = "item",
    domain: DomainColumn = "domain",
    time: TimeColumn = "time",
    charge: ChargeColumn = None,
    window: Window = "1h",
    retention: Retention = "7d",
    before: Annotated[
        str | None,
        typer.Option(
            help="First moment of a period before the test that the same tables cover, as in 2026-11-01: shorter "
            "intervals (CUPED).",
            show_default=False,
        ),
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="Planned length; a shorter test decides nothing.", show_default=False)
    ] = None,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Intervals that hold however often one looks (always valid).")
    ] = False,
    typical_uplift: Annotated[
        float, typer.Option(help="Uplift for which --sequential is shortest; choose it before the start.")
    ] = 0.05,
    margin: Annotated[float, typer.Option(help="The largest relative change that does not matter in practice.")] = 0.01,
    report: Annotated[Path | None, typer.Option(help="HTML file to write.", show_default=False)] = None,
    memory: Memory = "2GB",
    gate: Annotated[
        bool,
        typer.Option("--gate", help="Exit with 3 if an arm hurts a metric in a domain, or nothing can be decided."),
    ] = False,
    gate_strict: Annotated[
        bool,
        typer.Option("--gate-strict", help="Also if a loss of more than the margin cannot be ruled out."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare arms by RPM, PPC, CTR and retention in each domain, with 95 % intervals of the uplift.

    Example: [bold]adi abtest analyze exposures --clicks clicks.parquet --charge price --report abtest.html[/]
    """
    from adi.abtest.analysis import analyze as run
    from adi.abtest.clicks import ClickColumns
    from adi.abtest.page import write_page

    name, arm, shares = _experiment(experiment, control)
    with working("joining exposures and clicks"):
        test = run(
            logs,
            clicks,
            columns=ClickColumns(user=user, item=item, domain=domain, time=time, charge=charge),
            experiment=name,
            control=arm,
            shares=shares,
            window=window,
            retention=retention,
            before=before,
            days=days,
            sequential=sequential,
            typical_uplift=typical_uplift,
            margin=margin,
            memory=memory,
        )
    if report is not None:
        write_page(test, report)
    if as_json:
        say_json(test.to_json())
    else:
        _say(test)
        if report is not None:
            say(f"Wrote {report}.")
    failures = _failures(test, strict=gate_strict) if gate or gate_strict else []
    for failure in failures:
        LOG.message(f"gate: {failure}", level="error")
    if failures:
        raise typer.Exit(REGRESSION)


def _experiment(experiment: str | None, control: str | None) -> tuple[str | None, str | None, dict[str, float] | None]:
    """The name, the control and the arms' shares of an experiment that is given by its file or by its name."""
    if experiment is None or not experiment.endswith((".yaml", ".yml")):
        return experiment, control, None
    from adi.serving.experiment import load_experiment

    content = load_experiment(Path(experiment))
    return content.name, control or content.control, content.shares


def _failures(test: "AbTest", *, strict: bool) -> list[str]:
    """Why the gate fails: doubts, then regressions."""
    doubts = [f"nothing can be decided: {doubt}" for doubt in test.doubts]
    return doubts + [uplift.sentence for uplift in test.regressions(strict=strict and not doubts)]


def _say(test: "AbTest") -> None:
    """Print a table and a summary for each arm, then what was left out and what to know."""
    from adi.abtest.metrics import METRICS

    say(
        f"{test.experiment}, {test.start} to {test.end} ({test.days:.1f} days), clicks within {test.window} of their "
        "list."
    )
    for name in test.treatments:
        table = plain_table(f"\n{name} against {test.control}")
        table.padding = 0  # so that the table fits on 80 columns
        for column in ("domain", "metric"):
            table.add_column(column, no_wrap=True)
        for column in ("users", test.control, name, "uplift", "95 % interval"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        last = None
        for cell in test.of(name):
            metric = METRICS[cell.metric]
            if last not in (None, cell.where):
                table.add_section()
            interval = "–" if cell.low is None or cell.high is None else f"{cell.low:+.1%} to {cell.high:+.1%}"
            table.add_row(
                "" if cell.where == last else cell.domain or "all",
                metric.title,
                f"{sum(cell.users):,}",
                metric.text(cell.control_value),
                metric.text(cell.value),
                "–" if cell.uplift is None else f"{cell.uplift:+.1%}",
                interval,
                cell.verdict.removeprefix("makes "),
            )
            last = cell.where
        say(table)
        say(f"In words: {test.summary(name)}.")
    say(
        f"\nChanges within ±{test.margin:.1%} do not matter in practice. Verdicts are corrected for multiple "
        "comparisons (Holm); intervals are not."
    )
    if test.sample_ratio is not None:
        say(f"Sample ratio: p = {test.sample_ratio.p:.3g}.")
    for sentence in _without_interval(test):
        say(sentence)
    for fault in test.faults:
        say(f"Left out: {fault.sentence}." if fault.treatment != "counted once" else f"{fault.sentence}.")
    for sentence in test.notes:
        say(sentence)
    for doubt in test.doubts:
        say(f"Nothing is decided: {doubt}.")


def _without_interval(test: "AbTest") -> list[str]:
    """Sentences on the cells without an interval, those with the same reason together."""
    cells: dict[str, list[str]] = {}
    for cell in test.uplifts:
        if cell.low is None and cell.reason is not None and any(cell.users):
            arm = f" ({cell.arm})" if len(test.treatments) > 1 else ""
            cells.setdefault(cell.reason, []).append(f"{cell.metric} in {cell.where}{arm}")
    return [f"No interval for {', '.join(names)}: {reason}." for reason, names in cells.items()]
