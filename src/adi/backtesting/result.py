"""Results of a backtest: measures of each model by way, window and domain, as records, frames, rows and Markdown."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from adi.backtesting.evaluations import Way
from adi.frames import html_of
from adi.runs.metrics import Measured
from adi.runs.record import Record

UNDEFINED = "–"

WAYS: dict[Way, str] = {
    "frozen": "trained before the first window; nothing later is known",
    "live": "trained before the first window; histories and counters are live",
    "retrained": "trained before each window; histories and counters are live",
}


class TestedWindow(Record):
    """A window: its start and its stop, which belongs to the next, and its label in tables."""

    start: str
    stop: str
    label: str


class Score(Measured):
    """The measures of a model with a seed in a window, numbered from 1, by domain and their mean."""

    model: str
    way: Way
    window: int
    seed: int


class Backtest(Record):
    """The result of `adi.backtest`: `measure` is the one that tables and charts show.

    `scores` has those of all cells that are done, and `failed` the error of each that failed.
    """

    measure: str
    every: str
    domains: tuple[str, ...]
    windows: tuple[TestedWindow, ...]
    scores: tuple[Score, ...]
    failed: dict[str, str]

    def to_frame(self) -> pa.Table:
        """An Arrow table with a row for each model, way, window, seed, and domain or their ``mean``."""
        rows = []
        for score in self.scores:
            window = self.windows[score.window - 1]
            key = {"model": score.model, "way": score.way, "window": score.window, "start": window.start}
            key |= {"stop": window.stop, "seed": score.seed}
            rows += [{**key, "domain": name, **measures} for name, measures in score.domains.items()]
            rows.append({**key, "domain": "mean", **score.mean})
        names = dict.fromkeys(name for row in rows for name in row)
        return pa.Table.from_pylist([dict.fromkeys(names) | row for row in rows])

    def value(self, model: str, way: Way, window: int | None = None, domain: str | None = None) -> float | None:
        """The measure of a model in a window (None: the mean of the windows) and a domain (None: the mean of all).

        It is the mean over the seeds; None where it is undefined, as in a domain without test rows in the window.
        """
        if window is None:
            windows = range(1, len(self.windows) + 1)
            return _mean([self.value(model, way, number, domain) for number in windows])
        scores = [s for s in self.scores if (s.model, s.way, s.window) == (model, way, window)]
        measures = [score.mean if domain is None else score.domains[domain] for score in scores]
        return _mean([values.get(self.measure) for values in measures])

    @property
    def models(self) -> tuple[str, ...]:
        """The models with a result, in the order of the call."""
        return tuple(dict.fromkeys(score.model for score in self.scores))

    def lines(self, domain: str | None = None) -> Iterator[tuple[str, Way, list[float | None]]]:
        """The model, the way, and the measure in each window and then over all windows, for each line of a table."""
        for model in self.models:
            for way in WAYS:
                numbers: list[int | None] = [*range(1, len(self.windows) + 1), None]
                yield model, way, [self.value(model, way, number, domain) for number in numbers]

    def markdown(self) -> str:
        """The tables of the mean over the domains and of each domain, as Markdown."""
        head = ["model", "way", *(window.label for window in self.windows), "mean"]
        parts = [
            f"# {self.measure} by window\n",
            f"Windows of {self.every}, by their start. The last column is the mean of the windows.\n",
            *(f"- **{way}**: {meaning}" for way, meaning in WAYS.items()),
        ]
        for domain in (None, *self.domains):
            parts += ["", f"## {'Mean of the domains' if domain is None else domain}", "", _row(head)]
            parts.append("|---|---|" + "---:|" * (len(head) - 2))
            for model, way, values in self.lines(domain):
                parts.append(_row([model, way, *map(shown, values)]))
        if self.failed:
            parts += ["", "## Failed", "", *(f"- {cell}: {reason}" for cell, reason in self.failed.items())]
        return "\n".join(parts)

    def __repr__(self) -> str:
        means = ", ".join(
            f"{model} {' '.join(f'{way} {shown(self.value(model, way))}' for way in WAYS)}" for model in self.models
        )
        failed = f", {len(self.failed)} cells failed" if self.failed else ""
        return f"<Backtest over {len(self.windows)} windows of {self.every}: {self.measure}: {means}{failed}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """A table for notebooks: the mean of the domains by window."""
        columns = [*(window.label for window in self.windows), "mean"]
        rows = [
            {"model": model, "way": way, **dict(zip(columns, values, strict=True))}
            for model, way, values in self.lines()
        ]
        return html_of(pa.Table.from_pylist(rows))


def shown(value: float | None) -> str:
    """A measure with four decimals; a dash where it is undefined."""
    return UNDEFINED if value is None else f"{value:.4f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
