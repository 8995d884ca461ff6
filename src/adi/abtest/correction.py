"""Holm's correction over all domains, metrics and arms of a test, by tea-tasting."""

from collections.abc import Sequence
from typing import NamedTuple

from tea_tasting.experiment import ExperimentResult
from tea_tasting.multiplicity import adjust_fwer

ALPHA = 0.05


class _Hypothesis(NamedTuple):
    pvalue: float


def corrected(p_values: Sequence[float]) -> list[float]:
    """The p-values after Holm's step-down correction (Bonferroni's steps), in their order.

    With it, the probability of any false finding in the whole table is at most `ALPHA`, whatever the dependence:
    RPM is CTR times PPC, so the metrics of a domain depend on each other in both directions, which the correction of
    Benjamini and Hochberg does not allow.
    """
    if not p_values:
        return []
    hypotheses = ExperimentResult({str(number): _Hypothesis(p) for number, p in enumerate(p_values)})
    (result,) = adjust_fwer(hypotheses, alpha=ALPHA, arbitrary_dependence=True, method="bonferroni").values()
    return [float(result[str(number)]["pvalue_adj"]) for number in range(len(p_values))]
