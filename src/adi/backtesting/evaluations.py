"""Evaluations of a cell of a backtest, by window, and ``backtest.json``, which stores them in the cell's run.

What a model knows in a window is one of three ways:

frozen       trained before the first window, and nothing later is known
live         trained before the first window; histories and counters are live
retrained    trained before the window; histories and counters are live

A further way, such as one whose weights are updated from window to window, is another name here, and in `ways_in` the
windows in which a cell is evaluated so.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from adi.backtesting.windows import Window
from adi.data.dataset import Known
from adi.data.folder import replace_text
from adi.errors import AdiError
from adi.evaluation.evaluate import evaluate
from adi.grid.cells import Cell
from adi.runs.metrics import Metrics
from adi.runs.record import Record
from adi.strict import describe
from adi.training.fitted import open_run

FILE = "backtest.json"
KS = (10, 50, 100)

Way = Literal["frozen", "live", "retrained"]

KNOWN: dict[Way, Known] = {"frozen": "frozen", "live": "live", "retrained": "live"}


class Evaluation(Record):
    """The metrics of a model in a window, of which it knew what its way says."""

    way: Way
    window: int
    metrics: Metrics


class Evaluations(Record):
    """The evaluations of a cell."""

    evaluations: tuple[Evaluation, ...]


def ways_in(windows: Sequence[Window], trained_before: str) -> Iterator[tuple[Way, Window]]:
    """The ways and windows in which the cells of the window `trained_before` are evaluated."""
    for window in windows:
        if windows[0].key == trained_before:
            yield "frozen", window
            yield "live", window
        elif window.key == trained_before:
            yield "retrained", window


def evaluate_cell(run: Path, cell: Cell, *, windows: Sequence[Window]) -> Metrics:
    """Evaluate a cell's run in its windows, into ``backtest.json``; returns the live metrics in its own window."""
    _, dataset, scorer = open_run(run, cell.model if ":" in cell.model else None)
    evaluations = []
    for way, window in ways_in(windows, cell.dataset):
        measured = evaluate(scorer, dataset, ks=KS, known=KNOWN[way], between=window.between)
        evaluations.append(Evaluation(way=way, window=window.number, metrics=measured))
        if way == "live" and window.key == cell.dataset:  # before its window it was trained last, too
            evaluations.append(Evaluation(way="retrained", window=window.number, metrics=measured))
    replace_text(run / FILE, Evaluations(evaluations=tuple(evaluations)).model_dump_json(indent=1))
    return next(e.metrics for e in evaluations if e.way == "retrained")


def read_evaluations(run: Path) -> tuple[Evaluation, ...]:
    """The evaluations of a cell's run. Raises `AdiError` for a file that cannot be read."""
    path = run / FILE
    try:
        return Evaluations.model_validate_json(path.read_bytes()).evaluations
    except ValidationError as error:
        raise AdiError(f"{path}: not what this adi wrote: {describe(error, Evaluations)}") from None
