"""What the cells of a table came to: the runs of each row, what failed, and the table in long form."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adi.evaluation.groups import Group
from adi.reproduce.cells import Line
from adi.reproduce.folder import GridFolder
from adi.reproduce.tables import Row, Table
from adi.reproduce.versions import Version
from adi.runs.by_feature import FALLS, INTEREST, read_by_feature
from adi.runs.run import Run, read_run

COLUMNS = ("dataset", "model", "label", "seed", "domain", "measure", "value")


@dataclass(frozen=True)
class Outcome:
    """A row on a data set: `group` has the runs of its seeds, None where none is done; `failures` why others failed."""

    row: Row
    group: Group | None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """A table on a data set, row by row; `domains` are those of the data set."""

    table: Table
    dataset: str
    domains: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def reached(self) -> list[tuple[Row, Group]]:
        """The rows that have numbers, and these."""
        return [(one.row, one.group) for one in self.outcomes if one.group is not None]

    @property
    def name(self) -> str:
        return f"{self.table.name}-{self.dataset}"


def results_of(table: Table, dataset: str, lines: Iterable[Line], folder: GridFolder, version: Version) -> Results:
    """What is done of a table's rows on a data set, in the given version; what is of another is left out."""
    outcomes = []
    for line in lines:
        runs, failures = [], []
        for cell in line.cells:
            record = folder.record(cell)
            if record is None or version.difference(cell, record) is not None:
                continue
            if record.status == "done":
                runs.append(read_run(folder.run(cell)))
            elif record.status == "failed":
                failures.append(f"seed {cell.seed}: {record.reason}")
        group = Group(label=line.row.label, runs=tuple(runs)) if runs else None
        outcomes.append(Outcome(line.row, group, tuple(failures)))
    return Results(table, dataset, version.manifests[dataset].domains, tuple(outcomes))


def write_csv(path: Path, results: Sequence[Results]) -> None:
    """Every measure of every run of a table on all its data sets, one to a line; empty where it is undefined."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(row for one in results for row in _long(one))


def _long(results: Results) -> Iterator[tuple[object, ...]]:
    for row, group in results.reached:
        for run in group.runs:
            means = ("mean", run.metrics.mean)
            measured = [
                (domain, measure, value)
                for domain, measures in (*run.metrics.domains.items(), means)
                for measure, value in measures.items()
            ]
            if results.table.kind == "interest":
                measured += _by_feature(run)
            for domain, measure, value in measured:
                yield results.dataset, run.info.model, row.label, run.info.seed, domain, measure, value


def _by_feature(run: Run) -> Iterator[tuple[str, str, float | None]]:
    """``weight of item bid`` and ``fall without item bid``, in each domain."""
    for words, name in (("weight of", INTEREST), ("fall without", FALLS)):
        for side, found in read_by_feature(run.folder / name).items():
            for domain, values in found.values.items():
                for feature, value in zip(found.features, values, strict=True):
                    yield domain, f"{words} {side} {feature}", value
