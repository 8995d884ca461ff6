"""Models against a baseline, domain by domain: differences with intervals over users and seeds, and what they say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adi.data.arrays import Array
from adi.evaluation.bootstrap import means, replicate_means
from adi.evaluation.comparable import SEPARATE, baseline_among, check_numbers, check_runs, parsed
from adi.evaluation.groups import Group, group_runs
from adi.evaluation.runs import read_runs
from adi.evaluation.totals import totals_by_user
from adi.evaluation.verdict import FEWEST_USERS, Verdict, listed, sentence, verdict

MARGIN = 0.005
REPLICATES = 2000
FEWEST_SEEDS = 5
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A model less the baseline in a domain, or (None) in the mean over the domains, with its 95 % interval.

    `users` have a query there. The values are None in a domain without queries.
    """

    model: str
    domain: str | None
    users: int
    verdict: Verdict
    sentence: str
    baseline_value: float | None = None
    value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The differences of all models but the baseline, model by model, and how they were found.

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

    def of(self, model: str) -> list[Difference]:
        """A model's differences in each domain, then in the mean."""
        return [one for one in self.differences if one.model == model]

    def regressions(self, *, strict: bool = False) -> list[Difference]:
        """Where a model hurts a domain; `strict`: also where a loss of more than the margin is not ruled out."""
        return [
            one
            for one in self.differences
            if one.domain is not None and (one.verdict == "hurts" or (strict and self._may_hurt(one)))
        ]

    def _may_hurt(self, one: Difference) -> bool:
        unknown = one.low is None or one.users < FEWEST_USERS or one.low < -self.margin
        return one.verdict == "not decided" and unknown


def compare(
    runs: Sequence[Path],
    *,
    measure: str | None = None,
    baseline: str | None = None,
    margin: float = MARGIN,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Compare evaluated runs: each model's differences to a baseline, with bootstrap intervals over users and seeds.

    Args:
        runs: folders that `adi train` wrote and `adi evaluate` scored; those that differ by their seed alone are one
            model.
        measure: ``recall@K``, ``ndcg@K`` or ``mrr@K`` for any K; None: recall@50 against the corpus, recall@10 against
            candidates.
        baseline: the label of a model, its name where it has one configuration; None: dnn-single where it is given,
            else the first.
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
        baseline=baseline,
        margin=margin,
        replicates=replicates,
        seed=seed,
    )


def compare_groups(
    groups: Sequence[Group],
    *,
    measure: str | None = None,
    baseline: str | None = None,
    margin: float = MARGIN,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """`compare`, for runs that were read and gathered before."""
    protocol = groups[0].runs[0].metrics
    measure = measure or ("recall@10" if protocol.against == "candidates" else "recall@50")
    metric, k = parsed(measure)
    check_numbers(margin=margin, replicates=replicates, seed=seed)
    check_runs(groups)
    base = baseline_among(groups, baseline)
    subjects = _subjects(groups, base)
    totals, num_users = totals_by_user([run for group in groups for run in group.runs], metric, k)
    seeds = [len(group.runs) for group in groups]
    values = _with_mean(means(totals, seeds))  # (G, D + 1)
    drawn = _with_mean(replicate_means(totals, num_users, seeds, replicates=replicates, seed=seed))  # (R, G, D + 1)
    users = [*(len(own.users) for own in totals), num_users]
    fewest = [*users[:-1], min(count for count in users if count)]  # a mean is no surer than its smallest domain
    differences = [
        _difference(
            group.label,
            subjects[group.label],
            domain,
            users=users[place],
            fewest=fewest[place],
            values=(float(values[base, place]), float(values[number, place])),
            drawn=drawn[:, number, place] - drawn[:, base, place],
            margin=margin,
        )
        for number, group in enumerate(groups)
        if number != base
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


def _difference(
    model: str,
    subject: str,
    domain: str | None,
    *,
    users: int,
    fewest: int,
    values: tuple[float, float],
    drawn: Array,
    margin: float,
) -> Difference:
    """A difference from the values of the baseline and the model, and from the differences of the replicates (R,)."""
    if not users:
        said = sentence(subject, "not decided", domain=domain, because="no queries")
        return Difference(model=model, domain=domain, users=0, verdict="not decided", sentence=said)
    difference = _settled(values[1] - values[0])
    low, high = (_settled(float(bound)) for bound in np.nanquantile(drawn, INTERVAL))
    found = verdict(low, high, margin=margin, users=fewest)
    because = f"{difference:+.3f}, 95 % {low:+.3f} to {high:+.3f}"
    if fewest < FEWEST_USERS:
        because += f", but from {fewest} users only"
    return Difference(
        model=model,
        domain=domain,
        users=users,
        verdict=found,
        sentence=sentence(subject, found, domain=domain, because=because),
        baseline_value=values[0],
        value=values[1],
        difference=difference,
        low=low,
        high=high,
    )


def _settled(number: float) -> float:
    """Without what rounding leaves where nothing differs, and without the sign of a zero."""
    return round(number, 12) + 0.0


def _with_mean(values: Array) -> Array:
    """Values by domain (..., D), and behind them their mean over the domains that have queries: (..., D + 1)."""
    asked = ~np.isnan(values).reshape(-1, values.shape[-1]).all(axis=0)
    mean = values[..., asked].mean(axis=-1, keepdims=True)
    return np.concatenate([values, mean], axis=-1)


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
