"""What an interval of a difference says, in words.

The margin is the largest difference that makes none in practice. An interval inside of it says that the two are as good
as each other, even where it leaves out 0; one outside of 0 says that one is better; any other leaves it open. That
nothing was found is not that nothing is there.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from adi.evaluation.breakdown import Slice

Verdict = Literal["helps", "hurts", "makes no difference", "not decided"]

FEWEST_USERS = 50
"""With fewer, an interval by resampling is too narrow to decide by: whom it has not seen it cannot draw."""


def verdict(low: float, high: float, *, margin: float, users: int) -> Verdict:
    """The word for a difference that lies between `low` and `high`, found with so many users."""
    if users < FEWEST_USERS:
        return "not decided"
    if -margin <= low and high <= margin:
        return "makes no difference"
    if low > 0:
        return "helps"
    if high < 0:
        return "hurts"
    return "not decided"


def sentence(subject: str, found: Verdict, *, domain: str | None, among: Slice | None = None, because: str) -> str:
    """``pooled training helps in r5 (+0.031, 95 % +0.020 to +0.043)``; the domain None is the mean over all.

    Of a slice: ``pooled training helps in r5 at history_length 0 (...)``.
    """
    place = ("on average" if domain is None else f"in {domain}") + ("" if among is None else f" at {among}")
    if found == "not decided":
        return f"whether {subject} helps or hurts {place} is not decided ({because})"
    return f"{subject} {found} {place} ({because})"


def summary(subject: str, found: Mapping[str, Verdict]) -> str:
    """``pooled training helps in r1 and r5, hurts in r2; not decided in r7``, from the verdicts by domain."""
    places: dict[Verdict, list[str]] = {}
    for domain, one in found.items():
        places.setdefault(one, []).append(domain)
    known = [f"{one} in {listed(places[one])}" for one in get_args(Verdict) if one in places]
    if "not decided" not in places:
        return f"{subject} {', '.join(known)}"
    *known, undecided = known
    return f"{subject} {', '.join(known)}; {undecided}" if known else f"{subject}: {undecided}"


def listed(words: Iterable[str], word: str = "and") -> str:
    """``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} {word} {last}" if first else last
