"""What a tuning maximises, from the recall of each domain on the validation rows, and how sure that recall is.

    mean     the mean over the domains of recall_d
    worst    the minimum over the domains of recall_d / recall_d(base), the base settings' recall in that domain

`worst` compares each domain with itself, for the smallest plain recall would be that of the hardest domain whatever the
settings are. The base settings have 1; above 1 every domain gains on them. A domain without validation rows counts in
neither, and a domain in which the base settings find nothing does not in `worst`: it cannot lose.
"""

import math
from collections.abc import Mapping
from typing import Literal

from adi.errors import AdiError

Objective = Literal["mean", "worst"]

Recalls = Mapping[str, float | None]
"""Recall of each domain; None for one without validation rows."""


def value_of(objective: Objective, recalls: Recalls, base: Recalls) -> float:
    """The objective of `recalls`, `base` being those of the base settings."""
    return mean(recalls) if objective == "mean" else worst(recalls, base)


def mean(recalls: Recalls) -> float:
    """The unweighted mean over the domains."""
    known = [recall for recall in recalls.values() if recall is not None]
    return sum(known) / len(known)


def worst(recalls: Recalls, base: Recalls) -> float:
    """The smallest share that a domain keeps of its recall under the base settings.

    Raises `AdiError` where the base settings find nothing in any domain.
    """
    pairs = [(recall, base[name]) for name, recall in recalls.items()]
    shares = [recall / start for recall, start in pairs if recall is not None and start]
    if not shares:
        raise AdiError("--objective worst: the base settings find nothing in any domain to compare with. Raise -k.")
    return min(shares)


def standard_errors(recalls: Recalls, queries: Mapping[str, int]) -> dict[str, float | None]:
    """``sqrt(r (1 - r) / n)`` of each domain's recall r of n queries."""
    return {
        name: None if recall is None else math.sqrt(recall * (1 - recall) / queries[name])
        for name, recall in recalls.items()
    }


def standard_error_of_mean(recalls: Recalls, queries: Mapping[str, int]) -> float:
    """That of the mean over the domains, whose queries are independent: the root of the sum of squares, over D."""
    known = [error for error in standard_errors(recalls, queries).values() if error is not None]
    return math.sqrt(sum(error**2 for error in known)) / len(known)
