"""The command abtest plan: how long a test has to run, before it starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.abtest_analyze import ChargeColumn, DomainColumn, ItemColumn, Memory, TimeColumn, UserColumn, Window
from adi.cli.options import AsJson
from adi.cli.progress import working
from adi.cli.show import plain_table, say, say_json

if TYPE_CHECKING:
    from adi.abtest.plan import Plan


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
        planned = plan_from_rates(wanted, users_a_day=users_a_day, exposures_a_user=exposures_a_user, ctr=ctr, ppc=ppc)
    else:
        if users_a_day is not None or ctr is not None or ppc is not None:
            raise ArgumentError("logs", "rates are read from the logs. Leave out --users-a-day, --ctr and --ppc.")
        if not clicks:
            raise ArgumentError("clicks", "give the clicks of these exposures.")
        columns = ClickColumns(user=user, item=item, domain=domain, time=time, charge=charge)
        with working("joining exposures and clicks"):
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
