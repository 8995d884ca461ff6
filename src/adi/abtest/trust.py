"""Trust in off-policy estimates: the rules, and what speaks against them in a log."""

from collections.abc import Sequence

import numpy as np

from adi.abtest.correction import ALPHA, corrected
from adi.abtest.shown import ShownTotals
from adi.abtest.uplift import FEWEST_EVENTS, FEWEST_USERS

LEAST_SUPPORTED = 0.99
"""Share of the other arm's choices that the log has to support: then the rest changes an estimate by about 1 % at most,
unless its items are worth much more or less than others."""

LEAST_EFFECTIVE = 500
"""Effective sample size below which a few rows decide: with it no row has more than 4.5 % of all weight."""


def reasons_against(totals: Sequence[ShownTotals], p_values: Sequence[float]) -> list[tuple[str, ...]]:
    """Why the estimates of each of the domains cannot be trusted.

    Args:
        p_values: of the hypothesis that the probabilities are right, before Holm's correction; it is not tested where a
            few rows decide.
    """
    tested = [1.0 if each.effective < LEAST_EFFECTIVE else p for each, p in zip(totals, p_values, strict=True)]
    return [_reasons(each, p) for each, p in zip(totals, corrected(tested), strict=True)]


def _reasons(totals: ShownTotals, p: float) -> tuple[str, ...]:
    columns, reasons = totals.columns, []
    shown, weight = columns["shown"].sum(), columns["weight"].sum()
    supported = columns["supported"].sum() / shown if "supported" in columns else None
    if supported is not None and supported < LEAST_SUPPORTED:
        reasons.append(
            f"the log supports {supported:.1%} of the other arm's choices, of {LEAST_SUPPORTED:.0%} that are needed"
        )
    if p < ALPHA:
        wanted, why = (1.0, ", or the log lacks choices") if supported is None else (supported, "")
        reasons.append(
            f"the mean weight is {weight / shown:.3f}, not {wanted:.3f} (p = {p:.2g}): probabilities are wrong{why}"
        )
    if totals.effective < LEAST_EFFECTIVE:
        reasons.append(f"the effective sample size is {totals.effective:,.0f}, of {LEAST_EFFECTIVE} that are needed")
    if (users := len(columns["shown"])) < FEWEST_USERS:
        reasons.append(f"{users} users, of {FEWEST_USERS} that an interval needs")
    elif (clicked := int(np.count_nonzero(columns["weighted_clicks"]))) < FEWEST_EVENTS:
        reasons.append(f"{clicked} users with a click that counts, of {FEWEST_EVENTS} that an interval needs")
    return tuple(reasons)
