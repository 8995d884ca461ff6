"""Lines of tables: the cells of each row of a table on a data set. Tables share equal cells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adi.errors import ArgumentError, suggestion
from adi.grid.cells import Cell
from adi.models.catalog import model_of
from adi.reproduce.tables import Row, Table
from adi.reproduce.tuned import read_tuned, tuned_settings
from adi.training.settings import as_config

QUICK = {"epochs": 1}
"""Settings of every trained model in a quick look."""


@dataclass(frozen=True)
class Line:
    """A row of a table on a data set with its cells: one for each seed, a single one for a model without randomness."""

    row: Row
    cells: tuple[Cell, ...]


Parts = dict[tuple[str, str], tuple[Line, ...]]
"""Lines by table and data set."""


def lines_of(table: Table, dataset: str, *, seeds: int, quick: bool) -> tuple[Line, ...]:
    """The lines of a table on a data set. Raises `AdiError` for a model or a setting that does not exist."""
    tuned = read_tuned(dataset)
    lines = []
    for row in table.rows:
        if dataset in row.absent:
            continue
        trained = model_of(row.model).trained
        overrides = QUICK if quick and trained else {}
        default = as_config(tuned_settings(tuned, row.model, overrides))
        config = as_config(tuned_settings(tuned, row.model, {**row.settings_on(dataset), **overrides}))
        name = _name(row.model, default, config)
        cells = tuple(Cell(dataset, name, seed, row.model, config) for seed in range(seeds if trained else 1))
        lines.append(Line(row, cells))
    return tuple(lines)


def _name(model: str, default: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """``adi-se`` or ``adi-se,fusion=sum``: equal for all rows with equal settings."""
    differing = [
        f"{key}={str(value).lower()}"
        for section, values in config.items()
        for key, value in values.items()
        if value != default[section][key]
    ]
    return ",".join([model, *differing])


def distinct_cells(lines: Iterable[Line]) -> tuple[Cell, ...]:
    """The cells of lines without duplicates, ordered by data set and seed.

    A seed of every row comes before the next seed, so that the tables of an unfinished grid have all their rows early.
    """
    cells = {(cell.dataset, cell.key): cell for line in lines for cell in line.cells}
    datasets = list(dict.fromkeys(cell.dataset for cell in cells.values()))
    return tuple(sorted(cells.values(), key=lambda cell: (datasets.index(cell.dataset), cell.seed)))


def only_models(parts: Parts, models: Sequence[str] | None) -> Parts:
    """The lines of the named models, or (None) of all. Raises `ArgumentError` for a model that no line has."""
    if models is None:
        return parts
    known = tuple(dict.fromkeys(line.row.model for lines in parts.values() for line in lines))
    for name in models:
        if name not in known:
            raise ArgumentError("only", f"no row is of model '{name}' ({', '.join(known)}).{suggestion(name, known)}")
    chosen = {part: tuple(line for line in lines if line.row.model in models) for part, lines in parts.items()}
    return {part: lines for part, lines in chosen.items() if lines}
