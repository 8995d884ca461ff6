"""Exceptions with messages for the user."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


class AdiError(Exception):
    """An error in the user's input. The message names the place, the value and the remedy.

    The command line prints only the message and exits with code 2. Any other exception is a bug or a failure of the
    machine, and keeps its traceback.
    """


class ArgumentError(AdiError):
    """An error in one argument of a function. The message begins with the parameter's name.

    The command line replaces that name by its flag (``--seed`` for ``seed``).
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter, self.message = parameter, message


class DivergedError(AdiError):
    """The loss of a training is no longer finite."""


LONGEST_VALUE = 100
"""Characters of a key or a value that a message shows."""


def shortened(value: str) -> str:
    """A value, or the beginning of a long one."""
    return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}..."


def shown(value: str) -> str:
    """A value as a message shows it: shortened, in quotes and on one line."""
    return repr(shortened(value))


LONGEST_WORD = 100
"""Characters of the longest word that is compared with others: a longer one is no slip of the pen, and takes long."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` if `word` resembles one of `known`, else an empty string."""
    if len(word) > LONGEST_WORD:
        return ""
    close = get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


MOST_DIFFERENCES = 3
"""Differences that a message names."""


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """``lr (started with 0.1, now 0.2) and 3 more``: the names whose values differ; an empty text where none does."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    phrases = [
        f"{name} (started with {before.get(name, 'none')}, now {now.get(name, 'none')})"
        for name in names[:MOST_DIFFERENCES]
    ]
    more = len(names) - len(phrases)
    return ", ".join(phrases) + (f" and {more} more" if more else "")
