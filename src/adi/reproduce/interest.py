"""Figure 5 and its check: whether a feature that weighs much in a domain is one that recall there hangs on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from adi.evaluation.groups import Estimate, Group, over_runs
from adi.evaluation.zeroing import falls_when_zeroed
from adi.models.interest import interests
from adi.reproduce.cells import Cell
from adi.reproduce.folder import GridFolder
from adi.runs.by_feature import FALLS, INTEREST, ByFeature, read_by_feature, write_by_feature
from adi.training.fitted import open_run

FEWEST_FEATURES = 4
"""Of fewer, an order says nothing: two have the same one in half of all cases."""


def check_interest(folder: GridFolder, cell: Cell, say: Callable[[str], None]) -> None:
    """Write what recall loses without each feature of a finished cell beside its run, as its evaluation the weights."""
    record, run = folder.record(cell), folder.run(cell)
    if record is None or record.status != "done" or (run / FALLS).exists():
        return
    _, dataset, scorer = open_run(run)
    found, done = interests(scorer, dataset), 0
    total = sum(len(one.features) for one in found.values())

    def advance() -> None:
        nonlocal done
        done += 1
        say(f"{cell.dataset} {cell.name}, seed {cell.seed}: zeroed {done} of {total} features")

    say(f"{cell.dataset} {cell.name}, seed {cell.seed}: zeroing {total} features, one after the other")
    falls = falls_when_zeroed(scorer, dataset, found, advance=advance)
    sides = {str(side): ByFeature.of(found[side].features, own, dataset.domains) for side, own in falls.items()}
    write_by_feature(run / FALLS, sides)


@dataclass(frozen=True)
class Looked:
    """A side of a model: each feature's weight and fall in each domain, and `correlation`, how alike they rank them.

    Spearman's, of the size of the weights and the falls over the features of the side, averaged over the seeds; None in
    a domain with less than `FEWEST_FEATURES`, or where one of the two is the same for all.
    """

    side: str
    features: tuple[str, ...]
    weights: Mapping[str, tuple[Estimate, ...]]
    falls: Mapping[str, tuple[Estimate, ...]]
    correlation: dict[str, float | None]


def looked_at(group: Group) -> list[Looked]:
    """Both sides of a model, from the files beside its runs; none for what is not written."""
    pairs = [(read_by_feature(run.folder / INTEREST), read_by_feature(run.folder / FALLS)) for run in group.runs]
    found = []
    for side in ("user", "item"):
        both = [(weights[side], falls[side]) for weights, falls in pairs if side in weights and side in falls]
        if both:
            first = both[0][0]
            found.append(
                Looked(
                    side,
                    first.features,
                    weights=over_runs([weights for weights, _ in both]),
                    falls=over_runs([falls for _, falls in both]),
                    correlation={
                        domain: Estimate.of(
                            rank_correlation(_sizes(weights.values[domain]), falls.values[domain])
                            for weights, falls in both
                        ).mean
                        for domain in first.values
                    },
                )
            )
    return found


def _sizes(weights: Sequence[float | None]) -> list[float | None]:
    """A weight of -1 turns a feature around and leaves it as large as 1 does."""
    return [None if weight is None else abs(weight) for weight in weights]


def rank_correlation(first: Sequence[float | None], second: Sequence[float | None]) -> float | None:
    """Spearman's correlation; None where it says nothing (`Looked`)."""
    known = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if len(known) < FEWEST_FEATURES:
        return None
    ranks = np.stack([rankdata(column) for column in zip(*known, strict=True)])  # equal values share their rank
    return None if (ranks.std(axis=1) == 0).any() else float(np.corrcoef(ranks)[0, 1])
