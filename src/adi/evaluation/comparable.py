"""What can be compared: the runs, the measure and the numbers of a comparison, checked before any work."""

from collections.abc import Sequence

from adi.errors import AdiError, suggestion
from adi.evaluation.groups import Group
from adi.evaluation.verdict import listed
from adi.metrics import METRICS, Metric
from adi.runs.run import Run

SEPARATE = "dnn-single"
"""The model that is trained in each domain alone. Against it, one that is trained on all tells what pooling does."""

FEWEST_REPLICATES = 100


def baseline_among(groups: Sequence[Group], wanted: str | None) -> int:
    """The place of the baseline; raises `AdiError` for a label that none of the groups has."""
    labels = [group.label for group in groups]
    if wanted is None:
        return next((number for number, group in enumerate(groups) if group.model == SEPARATE), 0)
    if wanted not in labels:
        known = "; ".join(labels)
        raise AdiError(f"baseline: '{wanted}' is not one of the models given: {known}.{suggestion(wanted, labels)}")
    return labels.index(wanted)


def parsed(measure: str, metrics: Sequence[Metric] = ()) -> tuple[Metric, int]:
    """``recall@50`` as the metric recall and 50; `metrics` are known beside those of `adi.metrics.METRICS`."""
    name, _, k = measure.partition("@")
    known = {**METRICS, **{metric.name: metric for metric in metrics}}
    if name not in known or not k.isdecimal() or int(k) < 1:
        forms = listed((f"{metric}@K" for metric in known), "or")
        raise AdiError(f"measure: '{measure}' is not {forms}, with K from 1 on.{suggestion(name, known)}")
    return known[name], int(k)


def check_numbers(*, margin: float, replicates: int, seed: int) -> None:
    if not 0 <= margin < 1:
        raise AdiError(f"margin: {margin}; give a difference of the measure from 0 to below 1, such as 0.005.")
    if replicates < FEWEST_REPLICATES:
        raise AdiError(f"replicates: {replicates}; an interval of 95 % takes {FEWEST_REPLICATES} or more.")
    if seed < 0:
        raise AdiError(f"seed: {seed}; give a whole number from 0 on.")


def check_runs(groups: Sequence[Group]) -> None:
    """Refuse what may stand in one report and does not compare: a single model, other histories, a seed given twice."""
    if len(groups) < 2:
        raise AdiError(
            f"nothing to compare: every run given is of {groups[0].label}. "
            "Give the runs of another model, or of another configuration, beside them."
        )
    first = groups[0].runs[0]
    for group in groups:
        by_seed: dict[int, Run] = {}
        for run in group.runs:
            if run.metrics.history != first.metrics.history:
                raise AdiError(
                    f"{run.folder}: history: {run.metrics.history}, but in {first.folder}: {first.metrics.history}. "
                    "Such runs do not compare: evaluate all with --all-history, or all without."
                )
            if (same := by_seed.setdefault(run.info.seed, run)) is not run:
                raise AdiError(
                    f"{run.folder}: seed {run.info.seed} of {group.label} is given already, as {same.folder}. "
                    "Give each seed once, and train others with --seed."
                )
