"""The result of a comparison: differences of models to a baseline, as a value, a table and a notebook display."""

from dataclasses import dataclass

import pyarrow as pa

from adi.comparison.difference import FEWEST_USERS, Difference, summary
from adi.evaluation.breakdown import Slice
from adi.frames import html_of

FRAME = pa.schema(
    [(name, pa.string()) for name in ("model", "domain", "among")]
    + [("users", pa.int64())]
    + [(name, pa.float64()) for name in ("baseline_value", "value", "difference", "low", "high")]
    + [("verdict", pa.string())]
)
"""The columns of `Comparison.to_frame`."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison:
    """The differences of all models to the baseline, and how they were measured.

    Args:
        measure: the metric and list length that are compared, such as ``recall@50``.
        part, against, history: how the runs were evaluated, as in `adi.runs.metrics.Metrics`.
        baseline: the label of the baseline.
        seeds: the number of runs of each model.
        subjects: the subject of the sentences on each model.
        margin: the largest difference that does not matter in practice.
        replicates, seed: of the bootstrap.
        notes: sentences on what the intervals do not cover.
        differences: of each model in turn: over all queries, then over each slice; by domain, then in the mean over the
            domains and in that over all queries.
    """

    measure: str
    part: str
    against: str
    history: str
    baseline: str
    seeds: dict[str, int]
    subjects: dict[str, str]
    margin: float
    replicates: int
    seed: int
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def slices(self) -> tuple[Slice, ...]:
        """The slices of the queries that were compared in addition to all queries."""
        slices = dict.fromkeys(difference.among for difference in self.differences)
        return tuple(among for among in slices if among is not None)

    def of(self, model: str, among: Slice | None = None) -> list[Difference]:
        """A model's differences by domain, then in both means; over a slice of the queries, or (None) over all."""
        return [
            difference for difference in self.differences if difference.model == model and difference.among == among
        ]

    def summary(self, model: str) -> str:
        """A model's verdicts over all queries: ``pooled training helps in r1 and r5, hurts in r2``."""
        verdicts = {
            difference.domain: difference.verdict for difference in self.of(model) if difference.domain is not None
        }
        return summary(self.subjects[model], verdicts)

    def regressions(self, *, strict: bool = False) -> list[Difference]:
        """The differences by which a model hurts a domain, or a slice of a domain.

        With `strict`, also those that may be a loss of more than the margin in a domain. Slices are not held to that:
        most have too few queries to rule it out.
        """
        return [
            difference
            for difference in self.differences
            if difference.domain is not None
            and (difference.verdict == "hurts" or (strict and self._may_hurt(difference)))
        ]

    def to_frame(self) -> pa.Table:
        """A row for each difference.

        The domain ``mean`` is the mean over the domains, ``mean over queries`` that over all queries; `among` is null
        for all queries.
        """
        means = {"domains": "mean", "queries": "mean over queries"}
        rows = [
            {name: getattr(difference, name) for name in FRAME.names}
            | {
                "domain": difference.domain or means[str(difference.mean)],
                "among": None if difference.among is None else str(difference.among),
            }
            for difference in self.differences
        ]
        return pa.Table.from_pylist(rows, schema=FRAME)

    def __repr__(self) -> str:
        models = "; ".join(f"{model}: {self.summary(model)}" for model in self.subjects)
        return f"<Comparison of {self.measure} on {self.part}, baseline {self.baseline}. {models}>"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        return html_of(self.to_frame())

    def _may_hurt(self, difference: Difference) -> bool:
        if difference.among is not None or difference.verdict != "not decided":
            return False
        return difference.low is None or difference.users < FEWEST_USERS or difference.low < -self.margin
