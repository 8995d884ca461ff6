"""The cells of a grid: a model with its settings, on a data set, with a seed. Tables share those they agree on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adi.errors import AdiError, suggestion
from adi.models.catalog import MODELS
from adi.reproduce.tables import Row, Table
from adi.reproduce.tuned import read_tuned, tuned_settings
from adi.training.settings import as_config

QUICK = {"epochs": 1}
"""What a first look changes in the settings of every model that is trained."""


@dataclass(frozen=True)
class Cell:
    """`name` is the model's, with the settings that differ from those tuned for the data set; `config` has them all."""

    dataset: str
    name: str
    seed: int
    model: str
    config: Mapping[str, Any] = field(compare=False)

    @property
    def key(self) -> str:
        """The cell's place among those of its data set."""
        return f"{self.name}-{self.seed}"


@dataclass(frozen=True)
class Line:
    """A row of a table on a data set, and its cells: one for each seed, or one alone where nothing is drawn."""

    row: Row
    cells: tuple[Cell, ...]


def lines_of(table: Table, dataset: str, *, seeds: int, quick: bool) -> tuple[Line, ...]:
    """The rows that a table has on a data set; raises `AdiError` for a model or a setting that does not exist."""
    tuned = read_tuned(dataset)
    lines = []
    for row in table.rows:
        if dataset in row.absent:
            continue
        trained = MODELS[row.model].trained
        more = QUICK if quick and trained else {}
        usual = as_config(tuned_settings(tuned, row.model, more))
        config = as_config(tuned_settings(tuned, row.model, {**row.settings_on(dataset), **more}))
        name = _name(row.model, usual, config)
        drawn = range(seeds if trained else 1)
        lines.append(Line(row, tuple(Cell(dataset, name, seed, row.model, config) for seed in drawn)))
    return tuple(lines)


def _name(model: str, usual: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """``adi-se``, or ``adi-se,fusion=sum``: the same for all rows that come to the same settings."""
    differing = [
        f"{key}={str(value).lower()}"
        for section, values in config.items()
        for key, value in values.items()
        if value != usual[section][key]
    ]
    return ",".join([model, *differing])


def distinct(lines: Iterable[Line]) -> tuple[Cell, ...]:
    """The cells of lines, each once, all of one data set before the next, a seed of every row before the next seed.

    So the tables of an unfinished grid have all their rows early.
    """
    found = {(cell.dataset, cell.key): cell for line in lines for cell in line.cells}
    order = list(dict.fromkeys(cell.dataset for cell in found.values()))
    return tuple(sorted(found.values(), key=lambda cell: (order.index(cell.dataset), cell.seed)))


Parts = dict[tuple[str, str], tuple[Line, ...]]
"""The lines of each (table, data set)."""


def only_models(parts: Parts, models: Sequence[str] | None) -> Parts:
    """The lines of the named models, of all where None; raises `AdiError` for a name that no line has."""
    if models is None:
        return parts
    known = tuple(dict.fromkeys(line.row.model for lines in parts.values() for line in lines))
    for name in models:
        if name not in known:
            raise AdiError(f"--only: no row is of model '{name}' ({', '.join(known)}).{suggestion(name, known)}")
    kept = {part: tuple(line for line in lines if line.row.model in models) for part, lines in parts.items()}
    return {part: lines for part, lines in kept.items() if lines}
