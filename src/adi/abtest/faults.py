"""Faults of the logs: rows that are left out, counted by reason, and doubts that keep the verdicts back."""

from dataclasses import dataclass

MOST_FAULTY = 0.01
"""Share of users or clicks with a fault above which the verdicts are withheld."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Rows with one fault: how many, of how many, what is done with them, and the first of them.

    `doubtful` faults are a reason to withhold the verdicts where they exceed `MOST_FAULTY`; others are what a healthy
    log has, too.
    """

    name: str
    rows: int
    of: int
    what: str
    treatment: str
    first: str | None = None
    doubtful: bool = False

    @property
    def sentence(self) -> str:
        """``clicks without exposure: 12 of 1,000 clicks (1.2 %), left out; the first is ...``."""
        first = "" if self.first is None else f"; the first is {self.first}"
        share = f"{self.rows / self.of:.2%}" if self.of else "–"
        return f"{self.name}: {self.rows:,} of {self.of:,} {self.what} ({share}), {self.treatment}{first}"

    @property
    def doubt(self) -> str | None:
        """Why the verdicts are withheld, or None."""
        if not self.doubtful or self.rows <= MOST_FAULTY * self.of:
            return None
        return f"{self.name}: {self.rows:,} of {self.of:,} {self.what}, more than {MOST_FAULTY:.0%}"
