"""The command compare: models against a baseline, domain by domain."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from adi.cli.exit_codes import REGRESSION
from adi.cli.log import LOG
from adi.cli.options import AsJson, MetricPaths
from adi.cli.progress import working
from adi.cli.show import number, plain_table, say, say_json

if TYPE_CHECKING:
    from adi.comparison.difference import Difference
    from adi.comparison.result import Comparison
    from adi.data.overlap import Overlaps

MOST_DOMAINS_IN_A_TABLE = 10
"""With more, a table with a column for each domain does not fit on a screen, and hides the differences above it."""


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of evaluated runs. Runs that differ by their seed alone are one model."),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The model that the others are compared with.",
            show_default="dnn-single, else the best that is not trained, else the first",
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("-k", help="Compare recall@K.", show_default="50 against the corpus, 10 against candidates"),
    ] = None,
    measure: Annotated[
        str | None, typer.Option(help="Another measure in place of -k, as in ndcg@10 or mrr@10.", show_default=False)
    ] = None,
    metrics: MetricPaths = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Also compare each domain by groups of its queries: history_length, history_in_domain, "
            "item_popularity or item_in_history. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[float, typer.Option(help="The largest difference that does not matter in practice.")] = 0.005,
    replicates: Annotated[int, typer.Option(help="Bootstrap replicates of users and seeds for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 3 if a model hurts a domain, or a group of its queries (--by).")
    ] = False,
    gate_strict: Annotated[
        bool,
        typer.Option("--gate-strict", help="Also if a loss of more than the margin in a domain cannot be ruled out."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare models domain by domain, with 95 % intervals over users and seeds, and say which helps where.

    Example: [bold]adi compare runs/dnn-single-* runs/adi-se-* --gate[/]
    """
    from adi.comparison.compare import compare as compare_runs
    from adi.errors import AdiError, ArgumentError
    from adi.extensions import import_object
    from adi.metrics import Metric

    if k is not None:
        if measure is not None:
            raise AdiError(f"-k {k} and --measure {measure}: give one of them.")
        if k < 1:
            raise ArgumentError("k", f"{k}; give 1 or more.")
        measure = f"recall@{k}"
    own_metrics = [import_object(path, (Metric,), parameter="metrics") for path in metrics or ()]
    with working("comparing"):
        comparison = compare_runs(
            runs,
            measure=measure,
            metrics=own_metrics,
            baseline=baseline,
            by=by or (),
            margin=margin,
            replicates=replicates,
            seed=seed,
        )
        overlap = _overlaps(runs[0])
    regressions = comparison.regressions(strict=gate_strict) if gate or gate_strict else []
    if as_json:
        say_json(asdict(comparison) | {"overlap": None if overlap is None else _overlap_json(overlap)})
    else:
        _say(comparison)
        if overlap is not None:
            _say_overlaps(overlap)
    for difference in regressions:
        LOG.message(f"gate: {difference.sentence}", level="error")
    if regressions:
        raise typer.Exit(REGRESSION)


def _overlaps(run: Path) -> "Overlaps | None":
    """The overlap of the domains in a run's data; None, with the reason on standard error, where the data is gone."""
    from adi.data.overlap import overlaps
    from adi.errors import AdiError
    from adi.runs.run import read_run

    try:
        return overlaps(read_run(run).open_dataset())
    except AdiError as error:
        LOG.message(f"The overlap of the domains is not available: {error}", level="warning")
        return None


def _say(comparison: "Comparison") -> None:
    """Print a table and a summary for each model, then what the intervals do not cover."""
    seeds = ", ".join(f"{model} {count}" for model, count in comparison.seeds.items())
    say(
        f"{comparison.measure} on {comparison.part}, against the {comparison.against}, history: {comparison.history}. "
        f"Seeds: {seeds}."
    )
    for model in comparison.subjects:
        *domains, mean, over_queries = comparison.of(model)
        table = _table(f"\n{model} against {comparison.baseline}", "domain")
        for difference in domains:
            table.add_row(*_cells(difference))
        table.add_section()
        table.add_row(*_cells(mean))
        table.add_row(*_cells(over_queries))
        say(table)
        say(f"In words: {comparison.summary(model)}.")
        for by in dict.fromkeys(among.by for among in comparison.slices):
            say(_by_slice(comparison, model, by))
    say(
        f"\nDifferences within ±{comparison.margin:g} do not matter in practice. "
        "Intervals are not corrected for multiple comparisons."
    )
    for note in comparison.notes:
        say(note)


def _by_slice(comparison: "Comparison", model: str, by: str) -> Table:
    """A table of a model's differences in the slices of a breakdown, domain by domain and then in both means."""
    table = _table(f"\n{model} against {comparison.baseline}, by {by}", "domain", "group")
    slices = [among for among in comparison.slices if among.by == by]
    for in_domain in zip(*(comparison.of(model, among) for among in slices), strict=True):
        for among, difference in zip(slices, in_domain, strict=True):
            domain, *cells = _cells(difference)
            table.add_row(domain if among is slices[0] else "", among.label, *cells)
        table.add_section()
    return table


def _table(title: str, *keys: str) -> Table:
    """An empty table of differences whose first columns are `keys`."""
    table = plain_table(title)
    table.padding = 0  # so that the table fits on 80 columns
    for column in keys:
        table.add_column(column, no_wrap=True)
    for column in ("users", "baseline", "model", "difference", "95 % interval"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    return table


def _cells(difference: "Difference") -> list[str]:
    values = [number(difference.baseline_value), number(difference.value)]
    change = "–" if difference.difference is None else f"{difference.difference:+.4f}"
    low, high = difference.low, difference.high
    interval = "–" if low is None or high is None else f"{low:+.3f} to {high:+.3f}"
    verdict = difference.verdict.removeprefix("makes ")  # so that the table fits on 80 columns
    name = difference.domain or ("over queries" if difference.mean == "queries" else "mean")
    return [name, f"{difference.users:,}", *values, change, interval, verdict]


def _say_overlaps(common: "Overlaps") -> None:
    """Print the numbers of users and items that pairs of domains have in common, where a screen has room for them."""
    if len(common.domains) > MOST_DOMAINS_IN_A_TABLE:
        say(f"\n{common.in_words()}. --json has the numbers of each pair of domains.")
        return
    for name, overlap in (("Users", common.users), ("Items", common.items)):
        table = plain_table(f"\n{name} in each domain, and in both of each pair", "")
        for domain in common.domains:
            table.add_column(domain, justify="right")
        for domain, row in zip(common.domains, overlap.together.tolist(), strict=True):
            table.add_row(domain, *(f"{count:,}" for count in row))
        say(table)
    say(f"{common.in_words()}.")


def _overlap_json(common: "Overlaps") -> dict[str, Any]:
    sides = {"users": common.users, "items": common.items}
    return {"domains": list(common.domains)} | {
        side: {"together": overlap.together.tolist(), "anywhere": overlap.anywhere, "shared": overlap.shared}
        for side, overlap in sides.items()
    }
