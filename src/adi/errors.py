"""Exceptions that a user is meant to see."""

from collections.abc import Iterable
from difflib import get_close_matches


class AdiError(Exception):
    """A fault in what the user gave: the message names the place, the value and the remedy.

    The command line prints the message alone and exits with code 2; anything else that is raised is a fault of ours
    or of the machine and keeps its traceback.
    """


class ArgumentError(AdiError):
    """A fault in one argument of a function: the message begins with the parameter's name.

    The command line shows its own name for it (``--seed`` for ``seed``).
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter, self.message = parameter, message


class DivergedError(AdiError):
    """A training whose loss is no longer a finite number."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` when `word` resembles one of `known`, else an empty string."""
    close = get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
