"""Progress of long work, on standard error: in a terminal and in a notebook by default, silent elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

UNDEFINED = "–"

Report = Callable[[str, int, int], None]
"""Called with the name of a stage, how many of its units are done, and how many there are."""


@contextmanager
def reporting(progress: bool | Report) -> Iterator[Report]:
    """The function to report to: the given one; for True bars, in a terminal or a notebook; else a silent one."""
    if callable(progress):
        yield progress
    elif progress and visible():
        with progress_bar() as report:
            yield report
    else:
        yield lambda stage, done, total: None


def visible() -> bool:
    """Whether standard error is a terminal, or a notebook that can show a bar."""
    console = Console(stderr=True)
    return find_spec("ipywidgets") is not None if console.is_jupyter else console.is_terminal


@contextmanager
def bars(*columns: str, console: Console | None = None) -> Iterator[Progress]:
    """A set of progress bars with the given extra text fields, which are removed when the work is done."""
    fields = [TextColumn(f"{{task.fields[{name}]}}") for name in columns]
    parts = (TextColumn("{task.description}"), BarColumn(), *fields, TimeElapsedColumn(), TimeRemainingColumn())
    progress = Progress(*parts, console=console or Console(stderr=True), transient=True)
    with progress.live:  # the progress itself would leave an empty line in a log file
        yield progress


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Report]:
    """A function to report to that shows one bar for each stage."""
    with bars(console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield report
