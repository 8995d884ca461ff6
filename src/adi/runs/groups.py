"""Groups of runs that differ only by their seed: the mean and the standard deviation of a measure over the seeds."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from adi.runs.by_feature import ByFeature
from adi.runs.run import Run


@dataclass(frozen=True)
class Estimate:
    """The mean of a measure over the seeds that define it, and its standard deviation, None for fewer than two."""

    mean: float | None
    spread: float | None = None

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Estimate":
        """Compute the estimate from values, leaving out None and NaN."""
        defined = [value for value in values if value is not None and math.isfinite(value)]
        if not defined:
            return cls(mean=None)
        return cls(mean=fmean(defined), spread=stdev(defined) if len(defined) > 1 else None)


@dataclass(frozen=True, kw_only=True)
class RunGroup:
    """The runs of one model with one configuration, under a label that distinguishes it from the other groups."""

    label: str
    runs: tuple[Run, ...]

    @property
    def model(self) -> str:
        return self.runs[0].info.model

    @property
    def trained(self) -> bool:
        """Whether the result depends on the seed; models that only count do not."""
        return self.runs[0].info.parameters is not None

    @property
    def domains(self) -> tuple[str, ...]:
        return self.runs[0].domains

    @property
    def measures(self) -> set[str]:
        """The names of all measures that have a mean over the domains."""
        return {name for run in self.runs for name in run.metrics.mean}

    def measure(self, name: str, *, domain: str | None = None) -> Estimate:
        """The estimate of a measure such as ``recall@50`` in a domain; None: of its mean over the domains."""
        metrics = [run.metrics for run in self.runs]
        return Estimate.of((m.mean if domain is None else m.domains[domain]).get(name) for m in metrics)

    def measure_over_queries(self, name: str) -> Estimate:
        """The estimate of a measure's mean over the queries of all domains; undefined in runs of an older adi."""
        return Estimate.of(run.metrics.mean_over_queries.get(name) for run in self.runs)

    def breakdown(self, by: str, *, domain: str, name: str) -> dict[str, tuple[Estimate, int]]:
        """The estimate of a measure for each group of queries (by ``history_length``, say), and the group's size."""
        values: dict[str, list[float | None]] = {}
        queries: dict[str, int] = {}
        for run in self.runs:
            for group in run.metrics.breakdown.get(by, {}).get(domain, ()):
                values.setdefault(group.group, []).append(group.measures.get(name))
                queries[group.group] = group.queries
        return {label: (Estimate.of(values[label]), queries[label]) for label in values}


def group_runs(runs: Sequence[Run]) -> list[RunGroup]:
    """Group runs by model, configuration and training data, in the order in which they are given.

    Where a model has several configurations, the settings that differ are part of the label:
    ``adi-se (optimizer.lr=0.002)``; and so is the training data, where it differs: ``adi-se (data=monday)``.
    """
    grouped: dict[tuple[str, tuple[tuple[str, str], ...]], list[Run]] = {}
    data_names = _data_names(runs)
    for run in runs:
        configuration = flat_settings(run)
        if run.info.parameters is not None:  # a model without weights is fitted to the data of the evaluation
            configuration["data"] = data_names[run.info.fingerprint]
        grouped.setdefault((run.info.model, tuple(configuration.items())), []).append(run)
    configurations: dict[str, list[dict[str, str]]] = {}
    for model, settings in grouped:
        configurations.setdefault(model, []).append(dict(settings))
    return [
        RunGroup(label=_label(model, dict(settings), configurations[model]), runs=tuple(members))
        for (model, settings), members in grouped.items()
    ]


def flat_settings(run: Run) -> dict[str, str]:
    """A run's settings without the seed, nested keys joined by dots, sorted by key."""
    return {key: value for key, value in sorted(_flatten(run.info.config)) if key != "seed"}


def estimates_by_feature(runs: Sequence[ByFeature]) -> dict[str, tuple[Estimate, ...]]:
    """The estimate of each feature's value over several runs, by domain."""
    return {
        domain: tuple(Estimate.of(values) for values in zip(*(run.values[domain] for run in runs), strict=True))
        for domain in runs[0].values
    }


def _flatten(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _data_names(runs: Sequence[Run]) -> dict[str, str]:
    """A name for the training data of each fingerprint: that of its folder, or the fingerprint if two have one name."""
    names = {run.info.fingerprint: Path(run.info.prepared).name for run in runs}
    return names if len(set(names.values())) == len(names) else {fingerprint: fingerprint[:8] for fingerprint in names}


def _label(model: str, settings: dict[str, str], configurations: Sequence[dict[str, str]]) -> str:
    """The model's name, and the settings in which its configurations differ."""
    keys = sorted({key for configuration in configurations for key in configuration})
    differing = [key for key in keys if len({configuration.get(key) for configuration in configurations}) > 1]
    if not differing:
        return model
    values = ", ".join(f"{key}={settings.get(key, 'default')}" for key in differing)
    return f"{model} ({values})"
