"""Feature ablation: how far recall in each domain falls when the networks get zeros for a feature.

It checks the weights of `adi.models.interest`: these say how large a feature enters the networks, not what the networks
make of it.
"""

from collections.abc import Callable, Mapping

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.evaluation.evaluate import evaluate
from adi.models.interest import Interest, Side, zeroed
from adi.models.scorer import ScorerByDomain


def recall_falls(
    scorer: ScorerByDomain,
    dataset: Dataset,
    interests: Mapping[Side, Interest],
    *,
    k: int = 50,
    rows_per_domain: int = 5000,
    advance: Callable[[], None] | None = None,
) -> dict[Side, Array]:
    """The fall of test recall@k in each domain (D, F) without each of the F features of a side.

    A feature is zeroed behind the adaptation layer, in the domain that is evaluated; at most `rows_per_domain` queries
    of each are ranked, evenly spread. `advance` is called after each feature. NaN in a domain without test rows.
    """

    def recalls() -> Array:
        domains = evaluate(scorer, dataset, ks=(k,), rows_per_domain=rows_per_domain).domains
        return np.asarray([domains[name][f"recall@{k}"] for name in dataset.domains], dtype=np.float64)

    recall_with_all = recalls()
    falls_by_side: dict[Side, Array] = {}
    for side, interest in interests.items():
        falls = np.empty(interest.weights.shape)
        for feature in range(len(interest.features)):
            with zeroed(scorer, side, feature):
                falls[:, feature] = recall_with_all - recalls()
            if advance is not None:
                advance()
        falls_by_side[side] = falls
    return falls_by_side
