"""The commands abtest, abtest plan and abtest simulate.

`adi abtest LOGS` is what is done every day, so that the group has a default command: words that begin with no command's
name are given to `analyze`. A folder of the name of a command is given as ./plan.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from adi.cli.command import Command
from adi.cli.compare import REGRESSION
from adi.cli.options import AsJson
from adi.cli.show import ERR, plain_table, say, say_json

if TYPE_CHECKING:
    from adi.abtest.plan import Plan
    from adi.abtest.result import AbTest

DEFAULT = "analyze"


class AnalyzeByDefault(TyperGroup):
    """A group whose default command is `analyze`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


abtest = typer.Typer(cls=AnalyzeByDefault, no_args_is_help=True, rich_markup_mode="rich")


@abtest.callback()
def about() -> None:
    """Compare the arms of an experiment by what users did and advertisers paid.

    Example: [bold]adi abtest exposures --clicks clicks.parquet --charge price[/]

    It is short for [bold]adi abtest analyze[/], whose [bold]--help[/] has the options. Before the start,
    [bold]adi abtest plan[/] says how long to run.
    """


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


@abtest.command(cls=Command)
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
            help="First moment of a period before the test that the same tables cover, as in 2026-11-01: shorter intervals "
            "(CUPED).",
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
        bool, typer.Option("--gate", help="Exit with 3 if an arm hurts a metric in a domain, or nothing can be decided.")
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
    with ERR.status("joining exposures and clicks"):
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
        ERR.print(f"gate: {failure}", soft_wrap=True)
    if failures:
        raise typer.Exit(REGRESSION)


@abtest.command(cls=Command)
def plan(
    logs: Annotated[
        Path | None, typer.Argument(help="Folder of past exposures; without it, give rates.", show_default=False)
    ] = None,
    clicks: Annotated[
        list[str] | None, typer.Option("--clicks", help="Their clicks, as for analyze.", show_default=False)
    ] = None,
    users_a_day: Annotated[float | None, typer.Option(help="Without logs: users of a day.", show_default=False)] = None,
    exposures_a_user: Annotated[float, typer.Option(help="Without logs: lists of a user on a day.")] = 1.0,
    ctr: Annotated[float | None, typer.Option(help="Without logs: clicks per exposure.", show_default=False)] = None,
    ppc: Annotated[float | None, typer.Option(help="Without logs: charge per click.", show_default=False)] = None,
    uplift: Annotated[float, typer.Option(help="The smallest relative uplift that is to be found.")] = 0.05,
    power: Annotated[float, typer.Option(help="The probability of finding it.")] = 0.8,
    share: Annotated[float, typer.Option(help="The treatment's share of the users; the control has the rest.")] = 0.5,
    days: Annotated[int, typer.Option(help="The longest test to consider.")] = 14,
    user: UserColumn = "user",
    item: ItemColumn = "item",
    domain: DomainColumn = "domain",
    time: TimeColumn = "time",
    charge: ChargeColumn = None,
    window: Window = "1h",
    memory: Memory = "2GB",
    as_json: AsJson = False,
) -> None:
    """Plan a test: the smallest uplift that so many days detect, and the days that an uplift needs.

    Example: [bold]adi abtest plan exposures --clicks clicks.parquet --charge price --uplift 0.02[/]
    """
    from adi.abtest.clicks import ClickColumns
    from adi.abtest.plan import Power, plan_from_logs, plan_from_rates
    from adi.errors import ArgumentError

    wanted = Power(uplift=uplift, power=power, share=share, days=days)
    if logs is None:
        if users_a_day is None or ctr is None:
            raise ArgumentError("logs", "give a folder of exposures, or --users-a-day and --ctr.")
        planned = plan_from_rates(
            wanted, users_a_day=users_a_day, exposures_a_user=exposures_a_user, ctr=ctr, ppc=ppc
        )
    else:
        if users_a_day is not None or ctr is not None or ppc is not None:
            raise ArgumentError("logs", "rates are read from the logs. Leave out --users-a-day, --ctr and --ppc.")
        if not clicks:
            raise ArgumentError("clicks", "give the clicks of these exposures.")
        columns = ClickColumns(user=user, item=item, domain=domain, time=time, charge=charge)
        with ERR.status("joining exposures and clicks"):
            planned = plan_from_logs(logs, clicks, wanted, columns=columns, window=window, memory=memory)
    if as_json:
        say_json(planned.to_json())
    else:
        _say_plan(planned)


def _say_plan(plan: "Plan") -> None:
    """Print the smallest detectable uplift after some numbers of days, and the days that the uplift needs."""
    from adi.abtest.metrics import METRICS

    shown = sorted({day for day in (1, 2, 3, 7, 14, 28, plan.days) if day <= plan.days})
    table = plain_table(f"Smallest uplift found with a probability of {plan.power:.0%}, by days")
    for column in ("domain", "metric"):
        table.add_column(column, no_wrap=True)
    for column in ("value", *(f"{day} d" for day in shown), f"days for {plan.uplift:.1%}"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in plan.rows:
        by_day = {horizon.days: horizon for horizon in row.horizons}
        cells = [f"{by_day[day].uplift:.1%}{'*' * by_day[day].extrapolated}" if day in by_day else "–" for day in shown]
        metric = METRICS[row.metric]
        needed = "–" if row.needed is None else f"{row.needed:,}"
        table.add_row(row.domain or "all", metric.title, metric.text(row.value), *cells, needed)
    say(table)
    if plan.log_days is not None and plan.log_days < plan.days:
        say(f"* beyond the log's {plan.log_days} days: extrapolated with the square root of the days.")
    say(
        f"Two-sided tests at {plan.alpha:.2%} each, so that the whole table has 5 % (Bonferroni); the treatment has "
        f"{plan.share:.0%} of the users."
    )
    for row in plan.rows:
        if row.reason is not None:
            say(f"No plan for {row.metric} in {row.domain or 'all domains'}: {row.reason}.")
    for fault in plan.faults:
        say(f"{fault.sentence}.")


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

    say(f"{test.experiment}, {test.start} to {test.end} ({test.days:.1f} days), clicks within {test.window} of their list.")
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
        f"\nChanges within ±{test.margin:.1%} do not matter in practice. Verdicts are corrected for multiple comparisons "
        "(Holm); intervals are not."
    )
    if test.sample_ratio is not None:
        say(f"Sample ratio: p = {test.sample_ratio.p:.3g}.")
    for reason in dict.fromkeys(cell.reason for cell in test.uplifts if cell.low is None and cell.reason is not None):
        where = [f"{cell.metric} in {cell.where}" for cell in test.uplifts if cell.low is None and cell.reason == reason]
        say(f"No interval for {', '.join(where)}: {reason}.")
    for fault in test.faults:
        say(f"Left out: {fault.sentence}." if fault.treatment != "counted once" else f"{fault.sentence}.")
    for sentence in test.notes:
        say(sentence)
    for doubt in test.doubts:
        say(f"Nothing is decided: {doubt}.")
