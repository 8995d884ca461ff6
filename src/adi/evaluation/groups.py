"""Runs that differ by their seed alone, taken together: a mean and how far the seeds spread around it."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from adi.runs.by_feature import ByFeature
from adi.runs.run import Run


@dataclass(frozen=True)
class Estimate:
    """The mean of a measure over the seeds where it is defined, and its standard deviation (from two seeds on)."""

    mean: float | None
    spread: float | None = None

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Estimate":
        defined = [value for value in values if value is not None and math.isfinite(value)]
        if not defined:
            return cls(mean=None)
        return cls(mean=fmean(defined), spread=stdev(defined) if len(defined) > 1 else None)


def over_runs(found: Sequence[ByFeature]) -> Mapping[str, tuple[Estimate, ...]]:
    """The estimate of each feature in each domain."""
    return {
        domain: tuple(Estimate.of(values) for values in zip(*(one.values[domain] for one in found), strict=True))
        for domain in found[0].values
    }


@dataclass(frozen=True, kw_only=True)
class Group:
    """The runs of one model with one configuration, under the name that tells it from the other groups."""

    label: str
    runs: tuple[Run, ...]

    @property
    def model(self) -> str:
        return self.runs[0].info.model

    @property
    def trained(self) -> bool:
        """Whether another seed gives another model: those that only count have none of their own."""
        return self.runs[0].info.parameters is not None

    @property
    def domains(self) -> tuple[str, ...]:
        return self.runs[0].info.domains

    @property
    def measures(self) -> set[str]:
        """The names of all measures that have a mean over the domains."""
        return {name for run in self.runs for name in run.metrics.mean}

    def measure(self, name: str, *, domain: str | None = None) -> Estimate:
        """A measure such as ``recall@50`` in a domain, or (None) its mean over the domains."""
        metrics = [run.metrics for run in self.runs]
        return Estimate.of((m.mean if domain is None else m.domains[domain]).get(name) for m in metrics)

    def breakdown(self, by: str, *, domain: str, name: str) -> dict[str, tuple[Estimate, int]]:
        """The measure for each part of the test queries (of ``history_length``, say), with the number of queries."""
        values: dict[str, list[float | None]] = {}
        queries: dict[str, int] = {}
        for run in self.runs:
            for part in run.metrics.breakdown.get(by, {}).get(domain, ()):
                values.setdefault(part.group, []).append(part.measures.get(name))
                queries[part.group] = part.queries
        return {part: (Estimate.of(values[part]), queries[part]) for part in values}


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Gather the runs by model and configuration, in the order in which they were given.

    A model that appears with several configurations is told apart by the settings that differ:
    ``adi-se (optimizer.lr=0.002)``.
    """
    gathered: dict[tuple[str, tuple[tuple[str, str], ...]], list[Run]] = {}
    for run in runs:
        gathered.setdefault((run.info.model, tuple(settings(run).items())), []).append(run)
    configurations: dict[str, list[dict[str, str]]] = {}
    for model, config in gathered:
        configurations.setdefault(model, []).append(dict(config))
    return [
        Group(label=_label(model, dict(config), configurations[model]), runs=tuple(members))
        for (model, config), members in gathered.items()
    ]


def settings(run: Run) -> dict[str, str]:
    """The run's configuration without its seed, nested keys joined by dots, sorted by key."""
    return {key: value for key, value in sorted(_flatten(run.info.config)) if key != "seed"}


def _flatten(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _label(model: str, config: dict[str, str], others: Sequence[dict[str, str]]) -> str:
    keys = sorted({key for other in others for key in other})
    differing = [key for key in keys if len({other.get(key) for other in others}) > 1]
    if not differing:
        return model
    settings_that_differ = ", ".join(f"{key}={config.get(key, 'default')}" for key in differing)
    return f"{model} ({settings_that_differ})"
