"""The one exception a user is meant to see."""

from collections.abc import Iterable
from difflib import get_close_matches


class AdiError(Exception):
    """A fault in what the user gave: the message names the place, the value and the remedy.

    The command line prints the message alone and exits with code 2; anything else that is raised is a fault of ours
    or of the machine and keeps its traceback.
    """


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` when `word` resembles one of `known`, else an empty string."""
    close = get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
