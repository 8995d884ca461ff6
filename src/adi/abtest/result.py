"""The result of a test: arms, what was left out, doubts, and the uplift of each metric by domain."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from adi.abtest.faults import Fault
from adi.abtest.sample_ratio import SampleRatio
from adi.abtest.totals import Day
from adi.abtest.uplift import Uplift, Verdict


@dataclass(frozen=True, kw_only=True)
class ArmTotals:
    """An arm's users and sums over all domains, and the versions of the bundles that answered for it."""

    users: int
    exposures: int
    clicks: int
    charge: float
    versions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AbTest:
    """The analysis of an experiment.

    Args:
        experiment, control: names of the experiment and of the arm that the others are compared with.
        metrics: names of the metrics (`adi.abtest.metrics.METRICS`).
        domains: the domains; None is all together.
        start, end: ISO 8601 times of the first and the last list, UTC. `days` is their distance.
        window, margin: as given.
        sequential: whether the intervals hold at all times together, or for one look at the end.
        arms: totals by name, the control first.
        sample_ratio: None where the weights are not known.
        faults: rows that were left out. `doubts`: why all verdicts are withheld. `notes`: what else to know.
        uplifts: by arm, then by domain (all together first), then by metric.
        by_day: the sums behind the charts.
    """

    experiment: str
    control: str
    metrics: tuple[str, ...]
    domains: tuple[str | None, ...]
    start: str
    end: str
    days: float
    window: str
    margin: float
    sequential: bool
    arms: Mapping[str, ArmTotals]
    sample_ratio: SampleRatio | None
    faults: tuple[Fault, ...]
    doubts: tuple[str, ...]
    notes: tuple[str, ...]
    uplifts: tuple[Uplift, ...]
    by_day: tuple[Day, ...]

    @property
    def treatments(self) -> tuple[str, ...]:
        """The arms that are compared with the control."""
        return tuple(arm for arm in self.arms if arm != self.control)

    def of(self, arm: str) -> list[Uplift]:
        """An arm's uplifts."""
        return [uplift for uplift in self.uplifts if uplift.arm == arm]

    def summary(self, arm: str) -> str:
        """``treatment helps rpm in search and feed, hurts ppc in cart``."""
        phrases = []
        for verdict in get_args(Verdict):
            cells = [uplift for uplift in self.of(arm) if uplift.verdict == verdict]
            if cells and verdict != "not decided":
                phrases.append(f"{verdict}: {_listed(f'{cell.metric} in {cell.where}' for cell in cells)}")
        if not phrases:
            return f"{arm}: no metric is decided in any domain"
        return f"{arm} " + "; ".join(phrases)

    def regressions(self, *, strict: bool = False) -> list[Uplift]:
        """The cells in which an arm hurts a metric; with `strict`, also where a loss beyond the margin may be."""
        return [
            each
            for each in self.uplifts
            if each.verdict == "hurts"
            or (strict and each.verdict == "not decided" and (each.low is None or each.low < -self.margin))
        ]

    def to_json(self) -> dict[str, Any]:
        """All of it in plain values."""
        content = asdict(self)
        content["faults"] = [asdict(fault) | {"sentence": fault.sentence} for fault in self.faults]
        content["uplifts"] = [asdict(uplift) | {"sentence": uplift.sentence} for uplift in self.uplifts]
        return content


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
