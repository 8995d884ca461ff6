"""Uplifts of the experiments of Table 9, beside the runs of their treatments, and their mean over the seeds.

uplifts.json    the analysis of an experiment (`adi.abtest.result.AbTest`)

**Mean over the seeds.** Each seed is another training of both models and another simulation with another assignment of
the users. With x the logarithm of 1 + uplift and V its variance over users, of n seeds,

    mean x ± 1.96 sqrt( max( variance of x over the seeds, mean V ) / n )

is the interval of a random-effects meta-analysis with equal weights (DerSimonian and Laird, "Meta-analysis in clinical
trials", Controlled Clinical Trials 1986): seeds that differ by more than the users explain make it wider.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, fmean, variance
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from adi.data.folder import replace_text
from adi.errors import AdiError
from adi.runs.groups import RunGroup

FOLDER, FILE = "online", "uplifts.json"
ALL = "all domains"
Z = NormalDist().inv_cdf(0.975)


class Measured(BaseModel):
    """An uplift of one experiment, in a domain or (None) all together. None where no interval can be claimed."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    domain: str | None
    metric: str
    control_value: float | None
    value: float | None
    uplift: float | None
    low: float | None
    high: float | None

    @property
    def where(self) -> str:
        return ALL if self.domain is None else self.domain


class Experiment(BaseModel):
    """An analyzed experiment. `doubts` are reasons to distrust it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    doubts: tuple[str, ...]
    uplifts: tuple[Measured, ...]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean uplift over `seeds`, with its 95 % interval."""

    uplift: float
    low: float
    high: float
    seeds: int


def write_test(logs: Path, content: Mapping[str, Any]) -> None:
    """Write the analysis of an experiment beside its logs."""
    replace_text(logs / FILE, json.dumps(content, indent=1))


def read_test(run: Path) -> Experiment | None:
    """The experiment beside a run; None where there is none. Raises `AdiError` for a malformed file."""
    path = run / FOLDER / FILE
    if not path.exists():
        return None
    try:
        return Experiment.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise AdiError(
            f"{path}: malformed, with {error.error_count()} errors. Remove {path.parent}, and simulate it again."
        ) from None


def length_of(logs: Path) -> tuple[int, int]:
    """The days of an experiment, and its requests on a day."""
    settings = json.loads((logs / "simulation.json").read_text(encoding="utf-8"))["settings"]
    return settings["days"], settings["requests"]


def tests_of(group: RunGroup) -> dict[int, Experiment]:
    """The experiments of a model by seed."""
    tests = {run.info.seed: read_test(run.folder) for run in group.runs}
    return {seed: test for seed, test in tests.items() if test is not None}


def mean_uplifts(tests: Sequence[Experiment]) -> dict[tuple[str, str], Interval | None]:
    """The mean over the experiments by metric and domain; None where none has an interval."""
    cells: dict[tuple[str, str], list[Measured]] = {}
    for test in tests:
        for measured in test.uplifts:
            cells.setdefault((measured.metric, measured.where), []).append(measured)
    return {key: mean_uplift(cell) for key, cell in cells.items()}


def mean_uplift(measured: Sequence[Measured]) -> Interval | None:
    """The mean of one cell over the seeds that have an interval; None without any."""
    logs, variances = [], []
    for each in measured:
        if each.uplift is not None and each.low is not None and each.high is not None:
            logs.append(math.log1p(each.uplift))
            variances.append(((math.log1p(each.high) - math.log1p(each.low)) / (2 * Z)) ** 2)
    if not logs:
        return None
    between = variance(logs) if len(logs) > 1 else 0.0
    half = Z * math.sqrt(max(between, fmean(variances)) / len(logs))
    middle = fmean(logs)
    return Interval(
        uplift=math.expm1(middle), low=math.expm1(middle - half), high=math.expm1(middle + half), seeds=len(logs)
    )


def measures_of(test: Experiment) -> Iterator[tuple[str, str, float | None]]:
    """Domain, measure and value of an experiment, as a table's CSV has them: ``rpm uplift`` and so on."""
    for each in test.uplifts:
        values = {
            "of the control": each.control_value,
            "of the model": each.value,
            "uplift": each.uplift,
            "uplift low": each.low,
            "uplift high": each.high,
        }
        for words, value in values.items():
            yield each.where, f"{each.metric} {words}", value


def mean_measures(means: Mapping[tuple[str, str], Interval | None]) -> Iterator[tuple[str, str, float | None]]:
    """The same of the means over the seeds."""
    for (metric, where), mean in means.items():
        for words, name in (("uplift", "uplift"), ("uplift low", "low"), ("uplift high", "high")):
            yield where, f"{metric} {words}", None if mean is None else getattr(mean, name)
