"""What the commands print: progress bars on standard error; tables, sentences and JSON on standard output."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from adi.data.manifest import Manifest
    from adi.runs.metrics import Metrics

BROKEN_PIPE = 141
"""The exit code that a shell gives a program that SIGPIPE has ended."""

FEW_VALIDATION = 500
"""Under so many rows the standard error of a recall is above .02, more than most epochs gain or lose."""

NAMED = 3
"""How many of the domains with few validation rows are named."""


class Screen(Console):
    """A console that prints every text as it is, since ids may hold what rich takes for markup or an emoji."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=not stderr)

    def on_broken_pipe(self) -> NoReturn:
        """End quietly: the reader has had enough, as in ``adi models | head -1``."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # for what is flushed at exit
        raise SystemExit(BROKEN_PIPE)


OUT = Screen()
ERR = Screen(stderr=True)


def say(content: str | Table) -> None:
    """Print a sentence, or a table, which is wider than the terminal rather than to cut a word or a number."""
    if isinstance(content, Table):
        for column in content.columns:
            if column.no_wrap:  # or rich would cut what it may not break
                column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))
        narrowest = Measurement.get(OUT, OUT.options.update(max_width=1_000_000), content).minimum
        content.width = narrowest if narrowest > OUT.width else None
    OUT.print(content)


def say_json(content: object) -> None:
    """Print one line of JSON; what is no JSON, such as NaN, is a fault of ours."""
    OUT.out(json.dumps(content, allow_nan=False))


@contextmanager
def bars(*columns: str) -> Iterator[Progress]:
    """A set of progress bars with the given extra text fields; gone from the screen when the work is done."""
    fields = [TextColumn(f"{{task.fields[{name}]}}") for name in columns]
    shown = (TextColumn("{task.description}"), BarColumn(), *fields, TimeElapsedColumn(), TimeRemainingColumn())
    progress = Progress(*shown, console=ERR, transient=True)
    with progress.live:  # the progress itself would leave an empty line in a log file
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


def plain_table(title: str | None, *columns: str) -> Table:
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


def left_out(manifest: "Manifest", place: str) -> list[str]:
    """Sentences on all that a prepared dataset does not use of the tables: rows of the log, of tables, values."""
    sentences = []
    if manifest.rows.set_aside:
        sentences.append(f"Set aside: {_by_reason(manifest.rows.set_aside)} (see {place}/set_aside.parquet)")
    for name, rows in manifest.tables.items():
        if rows.set_aside:
            sentences.append(f"Set aside of table {name}: {_by_reason(rows.set_aside)}")
    for feature, values in manifest.ignored_values.items():
        sentences.append(f"Not a finite number, taken as missing: {values:,} values of feature {feature}")
    return sentences


def few_validation(manifest: "Manifest") -> str | None:
    """A sentence on the domains with too few validation rows to choose an epoch by, or None where there are none."""
    few = sorted((own.validation, name) for name, own in manifest.by_domain.items() if own.validation < FEW_VALIDATION)
    if not few:
        return None
    named = ", ".join(f"{count:,} in {name}" for count, name in few[:NAMED])
    more = f" and under {FEW_VALIDATION} in {len(few) - NAMED:,} more" if len(few) > NAMED else ""
    fewest = few[0][0]
    error = f" On {fewest} the standard error of a recall of a half is {0.5 / fewest**0.5:.3f}." if fewest else ""
    return (
        f"Few validation rows to choose the best epoch by: {named}{more}.{error} "
        "More: validation under split in the schema, 0.5 at most."
    )


def _by_reason(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in rows.items())


def metrics_table(metrics: "Metrics", keys: Sequence[str], title: str) -> Table:
    """Metrics of each domain and their mean."""
    table = plain_table(title, "domain")
    for key in ("queries", "corpus", *keys):
        table.add_column(key, justify="right")
    for name, values in metrics.domains.items():
        table.add_row(name, f"{values['queries']:,}", f"{values['corpus']:,}", *(number(values[key]) for key in keys))
    table.add_section()
    table.add_row("mean", "", "", *(number(metrics.mean[key]) for key in keys))
    return table


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
