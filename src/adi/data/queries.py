"""Requests for a top-K, with what is known when they are made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from adi.data.arrays import Array
from adi.data.clicks import ClickLog
from adi.data.histories import Histories


@dataclass(frozen=True)
class Queries:
    """n requests for a top-K: `users` (n,), -1 for an unknown one, in `domains` (n,), with histories and context.

    `context` has the codes (n,) of each context feature. Where the log has time, `moments` (n,) are the times of the
    requests. `clicks` are the clicks of all users that are known at these moments, for models with trends.
    """

    users: Array
    domains: Array
    histories: Histories
    context: Mapping[str, Array]
    moments: Array | None = None
    clicks: ClickLog | None = None

    def __len__(self) -> int:
        return len(self.users)

    def at(self, moments: Array) -> "Queries":
        """The same requests at other moments (n,); their histories stay."""
        return replace(self, moments=moments)

    def part(self, start: int, stop: int) -> "Queries":
        """Queries `start` to `stop`."""
        cuts = self.histories.offsets[start : stop + 1]
        history = slice(cuts[0], cuts[-1])
        return replace(
            self,
            users=self.users[start:stop],
            domains=self.domains[start:stop],
            histories=Histories(self.histories.items[history], self.histories.domains[history], cuts - cuts[0]),
            context={name: codes[start:stop] for name, codes in self.context.items()},
            moments=None if self.moments is None else self.moments[start:stop],
        )
