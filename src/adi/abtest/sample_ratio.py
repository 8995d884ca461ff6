"""The test of the sample ratio: whether the arms have as many users as their weights say."""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

MISMATCH = 0.001
"""The p-value below which the arms are said not to have their shares, as is usual for this test: a false alarm would
stop a good experiment, and a true cause gives a tiny p-value soon."""


@dataclass(frozen=True, kw_only=True)
class SampleRatio:
    """The users of each arm, those that its weight let expect, and the p-value of Pearson's chi-square test."""

    users: Mapping[str, int]
    expected: Mapping[str, float]
    p: float

    @property
    def doubt(self) -> str | None:
        """Why the verdicts are withheld, or None."""
        if self.p >= MISMATCH:
            return None
        counts = ", ".join(f"{arm} {count:,} users for {self.expected[arm]:,.0f}" for arm, count in self.users.items())
        return f"sample ratio mismatch ({counts}, p = {self.p:.1g}): users of an arm are missing"


def sample_ratio(users: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio:
    """Test the users of each arm against the arms' shares, which sum to 1."""
    total = sum(users.values())
    expected = {arm: total * shares[arm] for arm in users}
    p = float(stats.chisquare(list(users.values()), list(expected.values())).pvalue)
    return SampleRatio(users=dict(users), expected=expected, p=p)
