"""Comparison of evaluated runs with a baseline, by domain and by groups of queries, with bootstrap intervals."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from adi.comparison.bootstrap import means, replicate_means
from adi.comparison.difference import FEWEST_USERS, Mean, SliceMeans, difference, listed
from adi.comparison.result import Comparison
from adi.comparison.totals import Totals, totals_by_user
from adi.data.arrays import Array
from adi.errors import AdiError, ArgumentError, suggestion
from adi.evaluation.breakdown import check_breakdown
from adi.metrics import Metric, metrics_by_name
from adi.runs.groups import RunGroup, group_runs
from adi.runs.run import Run, read_runs

SEPARATE = "dnn-single"
"""The model that is trained on each domain alone. A model trained on all, compared with it, shows the effect of pooled
training."""

MARGIN = 0.005
REPLICATES = 2000
FEWEST_REPLICATES = 100
FEWEST_SEEDS = 5
"""With fewer seeds their spread is a rough estimate."""


def compare(
    runs: Sequence[str | Path],
    *,
    measure: str | None = None,
    metrics: Sequence[Metric] = (),
    baseline: str | None = None,
    by: Sequence[str] = (),
    margin: float = MARGIN,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Compare evaluated runs: each model's difference to a baseline by domain, with bootstrap intervals.

    Args:
        runs: folders of evaluated runs; runs that differ by their seed alone are one model.
        measure: a metric and a list length; None: ``recall@50`` against the corpus, ``recall@10`` against candidates.
        metrics: of your own, which `measure` may name like those of `adi.metrics.METRICS`.
        baseline: the label of a model, which is its name where it has one configuration; None: dnn-single where it is
            among the runs, else the best of those that are not trained, else the first model.
        by: names of `adi.evaluation.breakdown.BREAKDOWNS`, by whose groups of queries each domain is compared too.
        margin: the largest difference that does not matter in practice, see `adi.comparison.difference`.
        replicates: bootstrap replicates of users and seeds, see `adi.comparison.bootstrap`.
        seed: of the bootstrap.

    Raises `AdiError` for runs that cannot be compared, that have no ranks, or that are all of one model.

        comparison = compare(["runs/dnn-single", "runs/adi-se"])
        for difference in comparison.differences:
            print(difference.sentence)
    """
    return compare_groups(
        group_runs(read_runs([Path(run) for run in runs])),
        measure=measure,
        metrics=metrics,
        baseline=baseline,
        by=by,
        margin=margin,
        replicates=replicates,
        seed=seed,
    )


def compare_groups(
    groups: Sequence[RunGroup],
    *,
    measure: str | None = None,
    metrics: Sequence[Metric] = (),
    baseline: str | None = None,
    by: Sequence[str] = (),
    margin: float = MARGIN,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """`compare`, for groups of runs that have been read."""
    evaluation = groups[0].runs[0].metrics
    if metrics and measure is None:
        raise ArgumentError("measure", f"missing. Name the metric to compare by, as in {metrics[0].name}@10.")
    measure = measure or evaluation.default_measure
    metric, k = parse_measure(measure, metrics)
    _check_numbers(margin=margin, replicates=replicates, seed=seed)
    for name in by:
        check_breakdown(name)
    check_comparable(groups)
    check_baseline(groups, baseline)
    left_out = [groups[0].domains.index(name) for name in evaluation.left_out]
    totals, num_users = totals_by_user([run for group in groups for run in group.runs], metric, k, by)
    seeds = [len(group.runs) for group in groups]
    domains = [domain for slice_totals in totals.values() for domain in slice_totals]
    values = means(domains, seeds)  # (G, domains of all slices)
    drawn = replicate_means(
        domains, num_users, seeds, replicates=replicates, seed=seed
    )  # (R, G, domains of all slices)
    slices = zip(
        totals.items(), np.split(values, len(totals), axis=-1), np.split(drawn, len(totals), axis=-1), strict=True
    )
    slice_means = {
        among: SliceMeans.of(slice_totals, slice_values, slice_drawn, left_out)
        for (among, slice_totals), slice_values, slice_drawn in slices
    }
    base = _baseline_index(groups, baseline, slice_means[None].values[:, len(groups[0].domains)])
    subjects = _subjects(groups, base)
    columns: list[tuple[str | None, Mean | None]] = [(name, None) for name in groups[0].domains]
    columns += [(None, "domains"), (None, "queries")]
    differences = [
        difference(
            slice_means[among],
            column,
            baseline=base,
            model=number,
            label=group.label,
            subject=subjects[group.label],
            domain=domain,
            mean=mean,
            among=among,
            margin=margin,
        )
        for number, group in enumerate(groups)
        if number != base
        for among in totals
        for column, (domain, mean) in enumerate(columns)
    ]
    return Comparison(
        measure=measure,
        part=evaluation.part,
        against=evaluation.against,
        history=evaluation.history,
        baseline=groups[base].label,
        seeds={group.label: len(group.runs) for group in groups},
        subjects=subjects,
        margin=margin,
        replicates=replicates,
        seed=seed,
        notes=(*_notes(groups), *_few_users(groups[0].domains, totals[None], left_out)),
        differences=tuple(differences),
    )


def parse_measure(measure: str, metrics: Sequence[Metric] = ()) -> tuple[Metric, int]:
    """The metric and list length of ``recall@50``; `metrics` are known as well as `adi.metrics.METRICS`."""
    name, _, k = measure.partition("@")
    known = metrics_by_name(metrics)
    if name not in known or not k.isdecimal() or int(k) < 1:
        forms = listed((f"{metric}@K" for metric in known), "or")
        raise ArgumentError("measure", f"'{measure}' is not {forms}, with K from 1 on.{suggestion(name, known)}")
    return known[name], int(k)


def check_baseline(groups: Sequence[RunGroup], label: str | None) -> None:
    """Raise `ArgumentError` for the label of a baseline that none of the groups has."""
    labels = [group.label for group in groups]
    if label is not None and label not in labels:
        raise ArgumentError(
            "baseline", f"'{label}' is not one of the models: {'; '.join(labels)}.{suggestion(label, labels)}"
        )


def _baseline_index(groups: Sequence[RunGroup], label: str | None, averages: Array) -> int:
    """The index of the baseline among the groups, whose means over the domains are `averages` (G,).

    Without a label it is `dnn-single`, else of the models that are not trained the best, else the first.
    """
    if label is not None:
        return [group.label for group in groups].index(label)
    simple = [index for index, group in enumerate(groups) if not group.trained]
    best = max(simple, key=lambda index: float(averages[index]), default=0)
    return next((index for index, group in enumerate(groups) if group.model == SEPARATE), best)


def check_comparable(groups: Sequence[RunGroup]) -> None:
    """Raises `AdiError` for runs that a report may show together, but that do not compare: of a single model, with
    different histories, or with a seed given twice."""
    if len(groups) < 2:
        raise AdiError(
            f"nothing to compare: all runs are of {groups[0].label}. Add runs of another model or configuration."
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


def _check_numbers(*, margin: float, replicates: int, seed: int) -> None:
    if not 0 <= margin < 1:
        raise ArgumentError("margin", f"{margin}; give a difference of the measure from 0 to below 1, such as 0.005.")
    if replicates < FEWEST_REPLICATES:
        raise ArgumentError("replicates", f"{replicates}; a 95 % interval takes {FEWEST_REPLICATES} or more.")
    if seed < 0:
        raise ArgumentError("seed", f"{seed}; give a whole number from 0 on.")


def _subjects(groups: Sequence[RunGroup], base: int) -> dict[str, str]:
    """The subject of the sentences on each model: pooled training, where the model is trained on all domains and the
    baseline on each alone, else the model itself."""
    pooled = [group.label for group in groups if group.trained and group.model != SEPARATE]
    if groups[base].model != SEPARATE:
        pooled = []
    pattern = "pooled training" if len(pooled) == 1 else "pooled training ({})"
    return {
        group.label: pattern.format(group.label) if group.label in pooled else group.label
        for index, group in enumerate(groups)
        if index != base
    }


def _few_users(names: Sequence[str], totals: Sequence[Totals], left_out: Sequence[int]) -> Iterator[str]:
    """A sentence on the domains of so few users that the mean over the domains has no verdict."""
    users = {names[number]: len(domain.users) for number, domain in enumerate(totals) if number not in left_out}
    if few := [f"{name} ({count})" for name, count in users.items() if 0 < count < FEWEST_USERS]:
        yield (
            f"The mean over the domains has no verdict: {listed(few)} {'has' if len(few) == 1 else 'have'} fewer than "
            f"{FEWEST_USERS} test users."
        )


def _notes(groups: Sequence[RunGroup]) -> Iterator[str]:
    """Sentences on what the intervals do not cover."""
    seeds = {group.label: len(group.runs) for group in groups if group.trained}
    if single := [label for label, count in seeds.items() if count == 1]:
        yield (
            f"Only one seed of {listed(single)}: the intervals cover the variation between users, not between "
            "trainings. Train and evaluate more seeds to compare models rather than single trainings."
        )
    if few := [f"{label} ({count})" for label, count in seeds.items() if 1 < count < FEWEST_SEEDS]:
        yield f"Few seeds of {listed(few)}: their spread, and so the width of the intervals, is a rough estimate."
