"""Comparison of a bundle's lists, with all that is added to the scores of its index, with the model's."""

import numpy as np
from torch import Tensor

from adi.bundle.engine import BundleEngine
from adi.data.queries import Queries
from adi.errors import AdiError
from adi.exporting.recall import recall
from adi.index.build import IndexSettings
from adi.models.scorer import Scorer

COMPARED_QUERIES = 256
"""The number of queries of each domain whose lists are compared."""

TOLERANCE = 1e-4
"""The largest difference of a score from the model's, as a share of the score."""


def check_lists(
    engine: BundleEngine, scorer: Scorer, domain: int, queries: Queries, settings: IndexSettings, *, added: str
) -> None:
    """Compare the lists of a bundle with the model's; `added` names what is added to the index's scores.

    Raises `AdiError` if the bundle finds less than the target of the model's top k.
    """
    items = engine.items(domain)
    k, none = min(settings.k, len(items)), np.empty(0, dtype=np.int64)

    def scores(part: slice, block: slice) -> Tensor:
        return scorer.against(domain, items[block].astype(np.int64))(queries.part(part.start, part.stop))

    lists = np.full((len(queries), k), -1)
    tops = engine.search(domain, queries, k, excluded=[none] * len(queries))
    for positions, top in zip(lists, tops, strict=True):
        positions[: len(top.positions)] = top.positions
    share = recall(scores, lists, len(items), TOLERANCE)
    if not share >= settings.target:
        raise AdiError(
            f"domain '{engine.dataset.domains[domain]}': with {added} the bundle finds {share:.4f} of the model's own "
            f"top {k}, and the target is {settings.target}. Lower the target, or set exact_below above {len(items)} "
            "for an exact index. Nothing was published."
        )
