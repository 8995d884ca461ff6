"""Models against a baseline, by domain and by groups of queries: differences with intervals, and what they say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adi.evaluation.bootstrap import means, replicate_means
from adi.evaluation.breakdown import Slice, check_breakdown
from adi.evaluation.comparable import SEPARATE, baseline_among, check_numbers, check_runs, parsed
from adi.evaluation.difference import Difference, Measured, difference
from adi.evaluation.groups import Group, group_runs
from adi.evaluation.totals import totals_by_user
from adi.evaluation.verdict import FEWEST_USERS, listed
from adi.metrics import Metric
from adi.runs.run import read_runs

MARGIN = 0.005
REPLICATES = 2000
FEWEST_SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The differences of all models but the baseline, model by model, of all queries and then by slice; and how they
    were found.

    `seeds` has each model's number of runs; `subjects` what the sentences are about, by model; `notes` say what the
    intervals do not cover.
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
        """The slices of the queries that were compared beside all of them."""
        return tuple(dict.fromkeys(one.among for one in self.differences if one.among is not None))

    def of(self, model: str, among: Slice | None = None) -> list[Difference]:
        """A model's differences in each domain, then in the mean; of a slice of the queries, or (None) of all."""
        return [one for one in self.differences if one.model == model and one.among == among]

    def regressions(self, *, strict: bool = False) -> list[Difference]:
        """Where a model hurts a domain, or a slice of one that was compared.

        `strict`: also where it is not ruled out that a domain loses more than the margin. Slices are left out of that:
        most are too small to rule it out.
        """
        return [
            one
            for one in self.differences
            if one.domain is not None and (one.verdict == "hurts" or (strict and self._may_hurt(one)))
        ]

    def _may_hurt(self, one: Difference) -> bool:
        if one.among is not None:
            return False
        unknown = one.low is None or one.users < FEWEST_USERS or one.low < -self.margin
        return one.verdict == "not decided" and unknown


def compare(
    runs: Sequence[Path],
    *,
    measure: str | None = None,
    metrics: Sequence[Metric] = (),
    baseline: str | None = None,
    by: Sequence[str] = (),
    margin: float = MARGIN,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Compare evaluated runs: each model's differences to a baseline, with bootstrap intervals over users and seeds.

    Args:
        runs: folders that `adi train` wrote and `adi evaluate` scored; those that differ by their seed alone are one
            model.
        measure: a metric and a list length; None: ``recall@50`` against the corpus, ``recall@10`` against candidates.
        metrics: that `measure` may name beside those of `adi.metrics.METRICS`.
        baseline: the label of a model, its name where it has one configuration; None: dnn-single where it is given,
            else the first.
        by: names of `adi.evaluation.breakdown.BREAKDOWNS`; each domain is also compared slice by slice of these.
        margin: the largest difference that makes none in practice, see `adi.evaluation.verdict`.
        replicates: how often users and seeds are drawn, see `adi.evaluation.bootstrap`.
        seed: of the draws.

    Raises `AdiError` for runs that do not compare, that have no ranks, or that are all of one model.

        for one in compare([Path("runs/dnn-single"), Path("runs/adi-se")]).differences:
            print(one.sentence)
    """
    return compare_groups(
        group_runs(read_runs(runs)),
        measure=measure,
        metrics=metrics,
        baseline=baseline,
        by=by,
        margin=margin,
        replicates=replicates,
        seed=seed,
    )


def compare_groups(
    groups: Sequence[Group],
    *,
    measure: str | None = None,
    metrics: Sequence[Metric] = (),
    baseline: str | None = None,
    by: Sequence[str] = (),
    margin: float = MARGIN,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """`compare`, for runs that were read and gathered before."""
    protocol = groups[0].runs[0].metrics
    measure = measure or ("recall@10" if protocol.against == "candidates" else "recall@50")
    metric, k = parsed(measure, metrics)
    check_numbers(margin=margin, replicates=replicates, seed=seed)
    for one in by:
        check_breakdown(one)
    check_runs(groups)
    base = baseline_among(groups, baseline)
    subjects = _subjects(groups, base)
    totals, num_users = totals_by_user([run for group in groups for run in group.runs], metric, k, by)
    seeds = [len(group.runs) for group in groups]
    in_turn = [own for found in totals.values() for own in found]  # each slice's domains
    values = np.split(means(in_turn, seeds), len(totals), axis=-1)  # (G, D) for each slice
    drawn = np.split(
        replicate_means(in_turn, num_users, seeds, replicates=replicates, seed=seed), len(totals), axis=-1
    )  # (R, G, D)
    measured = [
        Measured.of(found, own_values, own_drawn)
        for found, own_values, own_drawn in zip(totals.values(), values, drawn, strict=True)
    ]
    differences = [
        difference(
            own.between(base, number, place),
            model=group.label,
            subject=subjects[group.label],
            domain=domain,
            among=among,
            margin=margin,
        )
        for number, group in enumerate(groups)
        if number != base
        for among, own in zip(totals, measured, strict=True)
        for place, domain in enumerate((*group.domains, None))
    ]
    return Comparison(
        measure=measure,
        part=protocol.part,
        against=protocol.against,
        history=protocol.history,
        baseline=groups[base].label,
        seeds={group.label: len(group.runs) for group in groups},
        subjects=subjects,
        margin=margin,
        replicates=replicates,
        seed=seed,
        notes=tuple(_notes(groups)),
        differences=tuple(differences),
    )


def _subjects(groups: Sequence[Group], base: int) -> dict[str, str]:
    """What the sentences on each model are about: pooled training, where it is trained on all domains and the baseline
    on each alone, or the model itself."""
    pooled = [group.label for group in groups if group.trained and group.model != SEPARATE]
    if groups[base].model != SEPARATE:
        pooled = []
    named = "pooled training" if len(pooled) == 1 else "pooled training ({})"
    return {
        group.label: named.format(group.label) if group.label in pooled else group.label
        for number, group in enumerate(groups)
        if number != base
    }


def _notes(groups: Sequence[Group]) -> Iterator[str]:
    """What the intervals do not cover."""
    seeds = {group.label: len(group.runs) for group in groups if group.trained}
    if single := [label for label, count in seeds.items() if count == 1]:
        yield (
            f"One seed of {listed(single)}: there the intervals cover other users, not another training. "
            "Train and evaluate more seeds to tell the models apart and not these trainings."
        )
    if few := [f"{label} ({count})" for label, count in seeds.items() if 1 < count < FEWEST_SEEDS]:
        yield f"Few seeds of {listed(few)}: how far seeds spread is roughly known, and so are the intervals."
