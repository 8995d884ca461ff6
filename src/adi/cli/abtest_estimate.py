"""The command abtest estimate: CTR and RPM of an arm from the log of another one that shows items at random."""

from typing import TYPE_CHECKING, Annotated

import typer

from adi.cli.abtest_analyze import Memory
from adi.cli.exit_codes import REGRESSION
from adi.cli.log import LOG
from adi.cli.options import AsJson
from adi.cli.progress import working
from adi.cli.show import plain_table, say, say_json

if TYPE_CHECKING:
    from adi.abtest.offpolicy import OffPolicy

TITLES = {"measured": "measured", "ips": "IPS", "snips": "SNIPS", "dr": "doubly robust"}


def estimate(
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE...", help="Log of shown items: Parquet or CSV, a file, folder or glob."),
    ],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            help="The table's name of a column, as in propensity=p; repeatable.",
            show_default="request, user, domain, propensity, target, click and, where the table has them, charge, "
            "supported, predicted, expected, predicted_charge, expected_charge",
        ),
    ] = None,
    memory: Memory = "2GB",
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 3 if the estimates of a domain cannot be trusted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate an arm that was not shown from the log of another one, and say whether that can be trusted.

    Example: [bold]adi abtest estimate live/shown/control[/]
    """
    from adi.abtest.offpolicy import evaluate_off_policy
    from adi.errors import ArgumentError

    names = {}
    for text in columns or []:
        name, _, column = text.partition("=")
        if not column:
            raise ArgumentError("columns", f"'{text}': give a name and the table's column, as in propensity=p.")
        names[name] = column
    with working("reading the log"):
        result = evaluate_off_policy(tables, columns=names, memory=memory)
    if as_json:
        say_json(result.to_json())
    else:
        _say(result)
    doubts = [each.sentence for each in result.domains if not each.trusted]
    if gate:
        for sentence in doubts:
            LOG.message(f"gate: {sentence}", level="error")
        if doubts:
            raise typer.Exit(REGRESSION)


def _say(result: "OffPolicy") -> None:
    """Print the weights of each domain, the estimates of each metric, and what cannot be trusted."""
    from adi.abtest.metrics import METRICS

    table = plain_table("Weights: the probability of the shown item in the other arm, over that in this one", "domain")
    for column in ("requests", "users", "mean weight", "effective", "largest", "supported"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("estimates", no_wrap=True)
    for each in result.domains:
        weight = each.weight
        table.add_row(
            each.domain or "all",
            f"{each.shown:,}",
            f"{each.users:,}",
            f"{weight.value:.3f}" if weight.half is None else f"{weight.value:.3f} ±{weight.half:.3f}",
            f"{each.effective:,.0f}",
            f"{each.largest:.1%}",
            "–" if each.supported is None else f"{each.supported:.1%}",
            "trusted" if each.trusted else "not trusted",
        )
    say(table)
    estimators = [name for name in TITLES if any(name in values for values in result.domains[0].metrics.values())]
    table = plain_table("\nThis arm as measured, and the other one as estimated, ± half of the 95 % interval")
    for column in ("domain", "metric"):
        table.add_column(column, no_wrap=True)
    for name in estimators:
        table.add_column(TITLES[name], justify="right", no_wrap=True)
    for each in result.domains:
        for number, (name, values) in enumerate(each.metrics.items()):
            metric = METRICS[name]
            cells = [values[estimator].text(metric) if estimator in values else "–" for estimator in estimators]
            table.add_row("" if number else each.domain or "all", metric.title, *cells)
    say(table)
    for missing in _missing(result):
        say(missing)
    for each in result.domains:
        if not each.trusted:
            say(f"Caution, {each.sentence}.")


def _missing(result: "OffPolicy") -> list[str]:
    """Sentences on what the log lacks for a whole answer."""
    metrics, sentences = result.domains[0].metrics, []
    if "rpm" not in metrics:
        sentences.append("No RPM: the log has no column charge.")
    if result.domains[0].supported is None:
        sentences.append("The log has no column supported: what it lacks is judged by the mean weight alone.")
    if not any("dr" in values for values in metrics.values()):
        sentences.append("No doubly robust estimates: the log has no columns predicted and expected.")
    return sentences
