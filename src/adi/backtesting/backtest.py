"""`adi.backtest`: models on a log with time, window by window, trained up to each and tested in it.

OUT/data/window-N        the prepared data set of a window, cut at its start (`adi.backtesting.datasets`)
OUT/runs/window-N/CELL   a run that was trained on it, and backtest.json (`adi.backtesting.evaluations`)
OUT/cells/window-N/      the records of the cells (`adi.grid.folder`)
OUT/backtest.md, OUT/backtest.json, OUT/backtest.png
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from adi.backtesting.chart import write_chart
from adi.backtesting.datasets import prepare_window, provenances_of
from adi.backtesting.evaluations import KS, evaluate_cell, read_evaluations
from adi.backtesting.models import configs_of
from adi.backtesting.result import Backtest, Score, TestedWindow
from adi.backtesting.windows import Window, text_of, windows_of
from adi.data.dataset import Dataset
from adi.data.folder import replace_text
from adi.errors import ArgumentError, suggestion
from adi.grid.cells import Cell, GridObserver
from adi.grid.folder import GridFolder
from adi.grid.progress import observing
from adi.grid.run import run_cells
from adi.grid.versions import Version, clear_stale, manifests_in, this_code
from adi.metrics import METRICS
from adi.models.catalog import model_of
from adi.moments import Moment
from adi.preparation.inputs import AnySchema, SchemaSource, read_schema
from adi.preparation.span import Span, span_of
from adi.schema import LastSplit
from adi.training.device import device_named


def backtest(
    schema: AnySchema,
    out: str | Path,
    *,
    models: Sequence[str],
    every: int | float | str = "3h",
    windows: int = 8,
    until: int | float | str | Moment | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    seeds: int = 1,
    measure: str = "recall@50",
    jobs: int = 1,
    device: str = "cpu",
    memory: str = "2GB",
    redo: bool = False,
    progress: bool = True,
    observer: GridObserver | None = None,
) -> Backtest:
    """Walk forward over a log with time: train up to a moment, test the clicks of the window that follows, move on.

    Each model is tested in every window in three ways: ``frozen``, trained before the first window, with nothing later
    known; ``live``, the same model with live histories and counters; and ``retrained``, trained anew before each
    window.

        adi.backtest("tables", "backtest", every="3h", windows=8, models=["popularity", "dnn"])

    Args:
        schema: as for `adi.prepare`. Its split gives the validation, and the windows take the place of its test.
        out: the folder to write: new, or that of an earlier call, of which finished cells are kept and interrupted ones
            go on.
        models: names of models, or paths ``package.module:NAME``.
        every: the length of a window: a duration such as 3h, or a number where the log's time is one.
        windows: how many, the last before the end.
        until: the end of the last window; None: that of the log, rounded up (`adi.backtesting.windows.windows_of`).
        settings: as for `adi.train`. A setting goes to all models that have it, and ``dnn.epochs`` to one.
        seed, seeds: each model that has randomness is trained with `seeds` seeds, from `seed` on.
        measure: what tables and charts show; all others are in the JSON.
        jobs: the number of cells to run at a time, each in a process with its share of the cores.
        device: as for `adi.train`.
        memory: as for `adi.prepare`.
        redo: remove what is of another version or has failed, and run it again.
        progress: show a bar and the finished cells on standard error, in a terminal or a notebook.
        observer: is called with the progress, in place of that.

    Raises `AdiError`, before any work, for a log without time, for windows that do not fit it, for unknown models and
    settings, and for an `out` of other data, windows, settings or code.
    """
    for name, value in (("seeds", seeds), ("jobs", jobs)):
        if value < 1:
            raise ArgumentError(name, f"{value}; give 1 or more.")
    _check_measure(measure)
    device_named(device)
    configs = configs_of(models, settings)
    source = read_schema(schema)
    with observing(progress, observer) as watching:
        watching.stage("reading the times of the log")
        with TemporaryDirectory() as working:
            span = span_of(source.with_split(LastSplit(kind="last")), Path(working), memory=memory)
        walk = windows_of(span, every, windows, until)
        folder = GridFolder(Path(out))
        with folder.locked():
            cells = _cells(walk, configs, range(seed, seed + seeds))
            version = _prepare(folder, source, span, walk, cells, watching, memory=memory, redo=redo)
            cells = [cell for cell in cells if cell.dataset in version.manifests]
            evaluate = partial(evaluate_cell, windows=walk)
            failed = run_cells(folder, version, cells, watching, evaluate=evaluate, jobs=jobs, device=device)
            watching.stage("writing the tables")
            scores = _scores(folder, [cell for cell in cells if f"{cell.dataset}/{cell.key}" not in failed])
            result = Backtest(
                measure=measure,
                every=str(every),
                domains=version.manifests[walk[0].key].domains,
                windows=tuple(TestedWindow(start=text_of(w.start), stop=text_of(w.stop), label=w.label) for w in walk),
                scores=scores,
                failed=failed,
            )
            replace_text(folder.root / "backtest.json", result.model_dump_json(indent=1))
            replace_text(folder.root / "backtest.md", result.markdown())
            write_chart(folder.root / "backtest.png", result)
    return result


def _check_measure(measure: str) -> None:
    known = [f"{name}@{k}" for name in (*METRICS, "coverage") for k in KS]
    if measure not in known:
        raise ArgumentError("measure", f"'{measure}' is not one of {', '.join(known)}.{suggestion(measure, known)}")


def _cells(windows: Sequence[Window], configs: Mapping[str, dict[str, Any]], seeds: Sequence[int]) -> list[Cell]:
    """The cells of all windows, in the order of time; a model without randomness has one in each."""
    return [
        Cell(window.key, name, seed, name, config)
        for window in windows
        for name, config in configs.items()
        for seed in (seeds if model_of(name).trained else seeds[:1])
    ]


def _prepare(
    folder: GridFolder,
    source: SchemaSource,
    span: Span,
    windows: Sequence[Window],
    cells: Sequence[Cell],
    observer: GridObserver,
    *,
    memory: str,
    redo: bool,
) -> Version:
    """Remove or refuse what is of another version, and prepare the windows that have test rows."""
    code = this_code()
    provenances = provenances_of(source, span.files, windows, code)
    clear_stale(folder, provenances, cells, code=code, redo=redo)
    tested = list(windows)
    for window in windows:
        if window in tested and not folder.data(window.key).exists():
            provenance = provenances[window.key]
            prepare_window(source, windows, window, folder, provenance, memory=memory, say=observer.stage)
        if window is windows[0]:
            times = Dataset(folder.prepared(window.key)).times("test")
            tested = [window, *(w for w in windows[1:] if _any_between(times, w))]
    clear_stale(folder, provenances, cells, code=code, redo=redo)  # again: a data set may be new under known cells
    keys = {window.key for window in tested}
    manifests = {key: manifest for key, manifest in manifests_in(folder).items() if key in keys}
    return Version(code, manifests)


def _any_between(times: Any, window: Window) -> bool:
    start, stop = window.between
    return bool(np.any((start <= times) & (times < stop)))


def _scores(folder: GridFolder, cells: Sequence[Cell]) -> tuple[Score, ...]:
    """The scores of all cells, by model, way, window and seed."""
    scores = [
        Score(
            model=cell.model,
            way=evaluation.way,
            window=evaluation.window,
            seed=cell.seed,
            domains=evaluation.metrics.domains,
            mean=evaluation.metrics.mean,
        )
        for cell in cells
        for evaluation in read_evaluations(folder.run(cell))
    ]
    models = list(dict.fromkeys(cell.model for cell in cells))
    return tuple(sorted(scores, key=lambda s: (models.index(s.model), s.way, s.window, s.seed)))
