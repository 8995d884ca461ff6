"""The identity of the code that makes results: two grids may share cells only where it is the same."""

from functools import cache
from hashlib import blake2b
from pathlib import Path

import adi
from adi.models.source import code_without_comments

SHOWING = frozenset(
    {"__init__", "cli", "extensions", "frames", "guessing", "progress", "report", "reproduce", "tuning"}
    | {"bundle", "exporting", "filters", "index", "retrieval", "serving", "thread_budget", "timing"}
)
"""Parts of the package that make no results: they call, show, serve or search for what others compute, or draft a
schema. Any other part counts."""


@cache
def this_code() -> str:
    """The digest of this adi."""
    return code_digest(Path(adi.__file__).parent)


def code_digest(package: Path) -> str:
    """A digest of the source of every part of a package that decides what a training and its evaluation give.

    It is taken of the syntax, so that comments, docstrings and layout may change.
    """
    digest = blake2b(digest_size=8)
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).with_suffix("")
        if place.parts[0] not in SHOWING:
            digest.update(f"{place.as_posix()}\n{code_without_comments(path.read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()
