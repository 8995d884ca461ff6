"""Objectives of a tuning, computed from each domain's recall on the validation rows, and their standard errors.

    mean     the mean over the domains of recall_d
    worst    the minimum over the domains of recall_d / recall_d(base), relative to the base settings

`worst` is relative, because the smallest absolute recall would always be that of the hardest domain. The base settings
have the value 1; above 1, every domain improves on them. Both leave out domains without validation rows; `worst` also
leaves out domains in which the base settings have a recall of 0, and which cannot get worse.
"""

import math
from collections.abc import Mapping
from typing import Literal

from adi.errors import ArgumentError

Objective = Literal["mean", "worst"]

Recalls = Mapping[str, float | None]
"""Recall of each domain; None for a domain without validation rows."""


def value_of(objective: Objective, recalls: Recalls, base: Recalls) -> float:
    """The value of the objective for `recalls`; `base` are the recalls of the base settings."""
    return mean(recalls) if objective == "mean" else worst(recalls, base)


def mean(recalls: Recalls) -> float:
    """The unweighted mean over the domains."""
    defined = [recall for recall in recalls.values() if recall is not None]
    return sum(defined) / len(defined)


def worst(recalls: Recalls, base: Recalls) -> float:
    """The smallest ratio over the domains of the recall and that of the base settings.

    Raises `ArgumentError` if the recall of the base settings is 0 in every domain.
    """
    pairs = [(recall, base[name]) for name, recall in recalls.items()]
    ratios = [recall / reference for recall, reference in pairs if recall is not None and reference]
    if not ratios:
        raise ArgumentError("objective", "worst: the recall of the base settings is 0 in every domain. Raise k.")
    return min(ratios)


def standard_errors(recalls: Recalls, queries: Mapping[str, int]) -> dict[str, float | None]:
    """The standard error ``sqrt(r (1 - r) / n)`` of each domain's recall r over n queries."""
    return {
        name: None if recall is None else math.sqrt(recall * (1 - recall) / queries[name])
        for name, recall in recalls.items()
    }


def standard_error_of_mean(recalls: Recalls, queries: Mapping[str, int]) -> float:
    """The standard error of the mean over D independent domains: the root of the sum of squares, divided by D."""
    errors = [error for error in standard_errors(recalls, queries).values() if error is not None]
    return math.sqrt(sum(error**2 for error in errors)) / len(errors)
