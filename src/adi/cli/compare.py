"""The command that decides: compare."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from adi.cli.show import ERR, number, plain_table, say, say_json

if TYPE_CHECKING:
    from adi.data.overlap import Overlaps
    from adi.evaluation.comparison import Comparison
    from adi.evaluation.difference import Difference

REGRESSION = 3
"""The exit code where a gate fails."""


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of evaluated runs. Those that differ by their seed alone are one model."),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(help="The model that the others are held against.", show_default="dnn-single, else the first"),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("-k", help="Compare recall@K.", show_default="50 against the corpus, 10 against candidates"),
    ] = None,
    measure: Annotated[
        str | None, typer.Option(help="Another measure in place of -k, as in ndcg@10 or mrr@10.", show_default=False)
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Also compare each domain by groups of its queries: history_length, history_in_domain or "
            "item_popularity. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[float, typer.Option(help="The largest difference that makes none in practice.")] = 0.005,
    replicates: Annotated[int, typer.Option(help="How often users and seeds are drawn for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of these draws.")] = 0,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 3 if a model hurts a domain, or a group of its queries (--by).")
    ] = False,
    gate_strict: Annotated[
        bool,
        typer.Option("--gate-strict", help="Also if it is not ruled out that a domain loses more than the margin."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Compare models domain by domain, with 95 % intervals over users and seeds, and say which helps where.

    Example: [bold]adi compare runs/dnn-single-* runs/adi-se-* --gate[/]
    """
    from adi.errors import AdiError
    from adi.evaluation.comparison import compare as run

    if k is not None:
        if measure is not None:
            raise AdiError(f"-k {k} and --measure {measure}: give one of them.")
        measure = f"recall@{k}"
    with ERR.status("comparing"):
        comparison = run(
            runs, measure=measure, baseline=baseline, by=by or (), margin=margin, replicates=replicates, seed=seed
        )
        common = _overlaps(runs[0])
    failed = comparison.regressions(strict=gate_strict) if gate or gate_strict else []
    if as_json:
        say_json(asdict(comparison) | {"overlap": None if common is None else _plain(common)})
    else:
        _say(comparison)
        if common is not None:
            _say_overlaps(common)
    for one in failed:
        ERR.print(f"gate: {one.sentence}", soft_wrap=True)
    if failed:
        raise typer.Exit(REGRESSION)


def _overlaps(run: Path) -> "Overlaps | None":
    """Of the data of a run; None, with the reason on standard error, where it is no longer in its place."""
    from adi.data.overlap import overlaps
    from adi.errors import AdiError
    from adi.runs.run import read_run

    try:
        return overlaps(read_run(run).open_dataset())
    except AdiError as error:
        ERR.print(f"The overlap of the domains is not known here: {error}", soft_wrap=True)
        return None


def _say(comparison: "Comparison") -> None:
    """A table for each model, what it says in words, and what the intervals do not cover."""
    from adi.evaluation.verdict import summary

    seeds = ", ".join(f"{model} {count}" for model, count in comparison.seeds.items())
    say(
        f"{comparison.measure} on {comparison.part}, against the {comparison.against}, history: {comparison.history}. "
        f"Seeds: {seeds}."
    )
    for model, subject in comparison.subjects.items():
        *domains, mean = comparison.of(model)
        table = _table(f"\n{model} against {comparison.baseline}", "domain")
        for one in domains:
            table.add_row(*_cells(one))
        table.add_section()
        table.add_row(*_cells(mean))
        say(table)
        said = {one.domain: one.verdict for one in domains if one.domain is not None}
        say(f"In words: {summary(subject, said)}.")
        for by in dict.fromkeys(among.by for among in comparison.slices):
            say(_by_slice(comparison, model, by))
    say(f"\nA difference within {comparison.margin:g} makes none. Each interval holds for itself, not for all at once.")
    for note in comparison.notes:
        say(note)


def _by_slice(comparison: "Comparison", model: str, by: str) -> Table:
    """A model's differences in the slices of a breakdown, one domain after the other and then the mean."""
    table = _table(f"\n{model} against {comparison.baseline}, by {by}", "domain", "group")
    slices = [among for among in comparison.slices if among.by == by]
    for own in zip(*(comparison.of(model, among) for among in slices), strict=True):  # those of one domain
        for among, one in zip(slices, own, strict=True):
            place, *cells = _cells(one)
            table.add_row(place if among is slices[0] else "", among.label, *cells)
        table.add_section()
    return table


def _table(title: str, *keys: str) -> Table:
    """A table of differences, which `keys` are the first columns of."""
    table = plain_table(title)
    for column in keys:
        table.add_column(column, no_wrap=True)
    for column in ("users", "baseline", "model", "difference", "95 % interval"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    return table


def _cells(one: "Difference") -> list[str]:
    interval = "–" if one.low is None or one.high is None else f"{one.low:+.3f} to {one.high:+.3f}"
    difference = "–" if one.difference is None else f"{one.difference:+.4f}"
    place = "mean" if one.domain is None else one.domain
    word = one.verdict.removeprefix("makes ")  # so that the table fits on 80 columns
    return [place, f"{one.users:,}", number(one.baseline_value), number(one.value), difference, interval, word]


def _say_overlaps(common: "Overlaps") -> None:
    """How many users, and items, each pair of domains has in common."""
    for name, overlap in (("Users", common.users), ("Items", common.items)):
        table = plain_table(f"\n{name} in each domain, and in both of each pair", "")
        for domain in common.domains:
            table.add_column(domain, justify="right")
        for domain, row in zip(common.domains, overlap.together.tolist(), strict=True):
            table.add_row(domain, *(f"{count:,}" for count in row))
        say(table)
    say(f"{common.in_words()}.")


def _plain(common: "Overlaps") -> dict[str, Any]:
    """As JSON has it."""
    sides = {"users": common.users, "items": common.items}
    return {"domains": list(common.domains)} | {
        side: {"together": overlap.together.tolist(), "anywhere": overlap.anywhere, "shared": overlap.shared}
        for side, overlap in sides.items()
    }
