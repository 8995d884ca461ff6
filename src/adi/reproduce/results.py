"""Results of a table: the runs of each row, its failed cells, and all measures as CSV."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adi.grid.folder import GridFolder
from adi.grid.versions import Version
from adi.reproduce.lines import Line
from adi.reproduce.tables import Row, Table
from adi.reproduce.uplifts import mean_measures, mean_uplifts, measures_of, tests_of
from adi.runs.by_feature import FALLS, INTEREST, read_by_feature
from adi.runs.groups import RunGroup
from adi.runs.run import Run, read_run

COLUMNS = ("dataset", "model", "label", "seed", "known", "domain", "measure", "value")


@dataclass(frozen=True)
class Outcome:
    """A row on a data set: the finished runs of its seeds (None where there is none), and the errors of the failed."""

    row: Row
    group: RunGroup | None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """A table on a data set, row by row; `domains` are the data set's."""

    table: Table
    dataset: str
    domains: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def finished(self) -> list[tuple[Row, RunGroup]]:
        """The rows with finished runs."""
        return [(outcome.row, outcome.group) for outcome in self.outcomes if outcome.group is not None]

    @property
    def treatments(self) -> list[str]:
        """The labels of the methods that a table compares with a control, online: ADI's."""
        return [row.label for row in self.table.rows if row.family == "adi"]

    @property
    def name(self) -> str:
        return f"{self.table.name}-{self.dataset}"

    @property
    def frozen(self) -> "Results | None":
        """The same runs with the measures of the frozen test, where the data set has trends; else None."""
        if not any(run.metrics.frozen for _, group in self.finished for run in group.runs):
            return None
        outcomes = [
            outcome if outcome.group is None else replace(outcome, group=_frozen(outcome.group))
            for outcome in self.outcomes
        ]
        return replace(self, outcomes=tuple(outcomes))


def _frozen(group: RunGroup) -> RunGroup:
    runs = []
    for run in group.runs:
        frozen = run.metrics.frozen
        assert frozen is not None
        metrics = run.metrics.model_copy(
            update={"known": "frozen", "domains": frozen.domains, "mean": frozen.mean, "breakdown": {}}
        )
        runs.append(replace(run, metrics=metrics))
    return replace(group, runs=tuple(runs))


def results_of(table: Table, dataset: str, lines: Iterable[Line], folder: GridFolder, version: Version) -> Results:
    """The results of a table on a data set in the given version; cells of other versions are left out."""
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
        group = RunGroup(label=line.row.label, runs=tuple(runs)) if runs else None
        outcomes.append(Outcome(line.row, group, tuple(failures)))
    return Results(table, dataset, version.manifests[dataset].domains, tuple(outcomes))


def write_csv(path: Path, results: Sequence[Results]) -> None:
    """Write every measure of every run of a table on all its data sets, one a line; an undefined value is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for result in results:
            writer.writerows(_csv_lines(result))
            if result.frozen is not None:
                writer.writerows(_csv_lines(result.frozen))


def _csv_lines(results: Results) -> Iterator[tuple[object, ...]]:
    for row, group in results.finished:
        for run in group.runs:
            metrics = run.metrics
            measures = [
                (domain, measure, value)
                for domain, values in (*metrics.domains.items(), ("mean", metrics.mean))
                for measure, value in values.items()
            ]
            if results.table.kind == "interest":
                measures += _by_feature(run)
            for domain, measure, value in measures:
                yield results.dataset, run.info.model, row.label, run.info.seed, metrics.known, domain, measure, value
        if results.table.kind == "online":
            for seed, domain, measure, value in _online(group):
                yield results.dataset, group.model, row.label, seed, "live", domain, measure, value


def _online(group: RunGroup) -> Iterator[tuple[int | str, str, str, float | None]]:
    """Seed (or ``mean``), domain, measure and value of a model's experiments."""
    tests = tests_of(group)
    for seed, test in tests.items():
        yield from ((seed, *measure) for measure in measures_of(test))
    yield from (("mean", *measure) for measure in mean_measures(mean_uplifts(list(tests.values()))))


def _by_feature(run: Run) -> Iterator[tuple[str, str, float | None]]:
    """``weight of item bid`` and ``fall without item bid``, in each domain."""
    for words, file in (("weight of", INTEREST), ("fall without", FALLS)):
        for side, by_feature in read_by_feature(run.folder / file).items():
            for domain, values in by_feature.values.items():
                for feature, value in zip(by_feature.features, values, strict=True):
                    yield domain, f"{words} {side} {feature}", value
