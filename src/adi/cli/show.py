"""What the commands print: progress bars on standard error, tables and sentences on standard output."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from adi.data.manifest import Manifest

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False)


def say(content: object) -> None:
    """Print a sentence or a table."""
    OUT.print(content, markup=False)


@contextmanager
def bars(*columns: str) -> Iterator[Progress]:
    """A set of progress bars with the given extra text fields; gone from the screen when the work is done."""
    fields = [TextColumn(f"{{task.fields[{name}]}}") for name in columns]
    with Progress(
        TextColumn("{task.description}"), BarColumn(), *fields, TimeElapsedColumn(), TimeRemainingColumn(), console=ERR
    ) as progress:
        yield progress


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A function (stage, done, of) that shows one bar for each stage."""
    with bars() as progress:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield show


def plain_table(title: str, *columns: str) -> Table:
    """A table narrow enough for ten columns on a terminal of 80 characters."""
    return Table(*columns, title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def counts_table(manifest: "Manifest") -> Table:
    """Rows, users and items of each domain of a prepared dataset."""
    table = plain_table(f"{manifest.rows.read:,} rows read, {manifest.rows.kept:,} kept", "domain")
    columns = ("train", "validation", "test", "users", "items", "corpus")
    for column in columns:
        table.add_column(column, justify="right")
    for domain, counts in manifest.by_domain.items():
        table.add_row(domain, *(f"{getattr(counts, column):,}" for column in columns))
    return table


def metrics_table(metrics: Mapping[str, Any], keys: Sequence[str], title: str) -> Table:
    """Metrics of each domain and their mean."""
    table = plain_table(title, "domain")
    for key in ("queries", "corpus", *keys):
        table.add_column(key, justify="right")
    for name, values in metrics["domains"].items():
        table.add_row(name, f"{values['queries']:,}", f"{values['corpus']:,}", *(number(values[key]) for key in keys))
    table.add_section()
    table.add_row("mean", "", "", *(number(metrics["mean"][key]) for key in keys))
    return table


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
