"""Processes in which some packages are not installed."""

import re
from collections.abc import Collection, Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

HIDING = """
from importlib.machinery import PathFinder

_every_spec = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in {modules!r} else _every_spec(name, path, target)

PathFinder.find_spec = find_spec
"""


def hiding(modules: Collection[str]) -> str:
    """Python that makes top-level modules impossible to find, as if they were not installed."""
    return HIDING.format(modules=set(modules))


def modules_beyond(requirements: Iterable[str]) -> set[str]:
    """The top-level modules of everything that is installed, but for the requirements and all that they need."""
    needed = _needed(requirements)
    return {
        module
        for module, distributions in packages_distributions().items()
        if not {_name(distribution) for distribution in distributions} & (needed | {"adi-retrieval"})
    }


def _needed(requirements: Iterable[str]) -> set[str]:
    needed: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        if (name := _name(requirement)) not in needed and "extra ==" not in requirement:
            needed.add(name)
            try:
                waiting += requires(name) or []
            except PackageNotFoundError:  # of another platform
                continue
    return needed


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()
