"""Always-valid intervals, for those who look at a test every day and may stop it on any of them.

The mixture sequential probability ratio test of Robbins, as in Johari, Koomen, Pekelis and Walsh, "Always Valid
Inference: Continuous Monitoring of A/B Tests" (Operations Research, 2022). With an estimate x of log(treatment /
control), its variance V, and a normal mixture of variance t² over the true value, the likelihood ratio against the
value y is

    L(y) = sqrt(V / (V + t²)) exp( t² (x - y)² / (2 V (V + t²)) )

Under y, L(y) ever exceeds 1 / alpha with probability alpha at most, however often one looks. So the interval holds all
y with L(y) < 1 / alpha,

    x ± sqrt( V (V + t²) / t² · (2 log(1 / alpha) + log((V + t²) / V)) )

and min(1, 1 / L(0)) is a p-value at any time. They are valid for any t that was chosen before the start, and shortest
if uplifts are about as large as t. The estimates are normal only approximately, as those of the delta method always
are.
"""

import math
from dataclasses import replace

from adi.abtest.moments import LEVEL, Estimate


def always_valid(fixed: Estimate, *, typical_uplift: float) -> Estimate:
    """The estimate with its interval and p-value replaced by those that hold at all times together."""
    variance, mixture = fixed.error**2, math.log1p(typical_uplift) ** 2
    x = math.log1p(fixed.uplift)
    spread = math.log((variance + mixture) / variance)
    half = math.sqrt(variance * (variance + mixture) / mixture * (2.0 * math.log(1.0 / (1.0 - LEVEL)) + spread))
    log_ratio = mixture * x**2 / (2.0 * variance * (variance + mixture)) - spread / 2.0
    return replace(
        fixed, low=math.expm1(x - half), high=math.expm1(x + half), p=min(1.0, math.exp(min(0.0, -log_ratio)))
    )
