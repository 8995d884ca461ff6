"""The last clicks of users: what each click follows, and how the user of a click was before it."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from adi.data.audiences import LAST
from adi.data.co_clicks import FOLLOWING
from adi.data.live_audiences import Clicker

MOST_USERS = 1 << 20
"""Users whose last clicks are remembered: those who clicked latest."""

REMEMBERED = max(FOLLOWING, LAST)
"""The number of clicks that are remembered of a user."""


class Click(NamedTuple):
    """A click: the user's id, the numbers of item and domain, and the time in the unit of the log.

    `context` are the codes of its context features (`adi.data.live_audiences.Clicker`).
    """

    user: str
    item: int
    domain: int
    time: float
    context: tuple[int, ...] = ()


LastItems = Callable[[str], Sequence[tuple[int, int]]]
"""The last items of a user and their domains, oldest first."""


def nobody_clicked(user: str) -> Sequence[tuple[int, int]]:
    """The last items of users of whom nothing is known."""
    return ()


class Following(NamedTuple):
    """Clicks with what came before them: `pairs` of each click with its user's last ones, as (their item, its item, its
    time), and the `clickers` of all clicks."""

    pairs: list[tuple[int, int, float]]
    clickers: list[Clicker]


class LastClicks:
    """The last clicks of the users who clicked latest.

    Args:
        before: the last items of a user of whom no click is remembered.
    """

    def __init__(self, before: LastItems) -> None:
        self.before = before
        self._last: OrderedDict[str, Sequence[tuple[int, int]]] = OrderedDict()

    @property
    def users(self) -> list[str]:
        """The users who are remembered, the one who clicked latest as the last."""
        return list(self._last)

    def add(self, clicks: Sequence[Click]) -> Following:
        """Add clicks, ascending by time.

        Of a user's clicks at the same time, each follows those before it; their clicker has clicked none of them yet.
        """
        pairs: list[tuple[int, int, float]] = []
        clickers: list[Clicker] = []
        for _, group in groupby(clicks, key=attrgetter("time")):
            at_once = list(group)
            clickers += [
                Clicker(click.user, click.domain, self._of(click.user)[-LAST:], click.context) for click in at_once
            ]
            for click in at_once:
                last = self._of(click.user)
                pairs += [(source, click.item, click.time) for source, _ in reversed(last[-FOLLOWING:])]
                self._last[click.user] = [*last, (click.item, click.domain)][-REMEMBERED:]
                self._last.move_to_end(click.user)
            while len(self._last) > MOST_USERS:
                self._last.popitem(last=False)
        return Following(pairs, clickers)

    def _of(self, user: str) -> Sequence[tuple[int, int]]:
        last = self._last.get(user)
        if last is None:
            last = self._last[user] = self.before(user)
        return last
