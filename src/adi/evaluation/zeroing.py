"""What hangs on a feature: how far recall in each domain falls when the networks do not get it.

It checks the weights of `adi.models.interest`, which say how large a feature goes into the networks, and not by
themselves what these make of it.
"""

from collections.abc import Callable, Mapping

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.evaluation.evaluate import evaluate
from adi.models.interest import Interest, Side, zeroed
from adi.models.scorer import ScorerByDomain


def falls_when_zeroed(
    scorer: ScorerByDomain,
    dataset: Dataset,
    interest: Mapping[Side, Interest],
    *,
    k: int = 50,
    rows_per_domain: int = 5000,
    advance: Callable[[], None] | None = None,
) -> dict[Side, Array]:
    """How far recall@k on the test falls in each domain without each feature of a side, (D, F).

    The feature is zeroed behind the adaptation layer, in the domain that is asked about; at most `rows_per_domain`
    queries of each are ranked, evenly spread. `advance` is called after each feature. NaN where there are no test rows.
    """

    def recalls() -> Array:
        found = evaluate(scorer, dataset, ks=(k,), rows_per_domain=rows_per_domain).domains
        return np.asarray([found[name][f"recall@{k}"] for name in dataset.domains], dtype=np.float64)

    whole = recalls()
    found: dict[Side, Array] = {}
    for side, own in interest.items():
        falls = np.empty(own.weights.shape)
        for feature in range(len(own.features)):
            with zeroed(scorer, side, feature):
                falls[:, feature] = whole - recalls()
            if advance is not None:
                advance()
        found[side] = falls
    return found
