"""The licences of everything that `pip install 'adi-retrieval[...]'` installs, from the metadata of what is installed.

`make licences` writes them to docs/licences.md, and fails where a licence is not one of `COMPATIBLE`.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

ROOT = "adi-retrieval"
EXTRAS = ("report", "abtest", "tune", "serve", "distributed", "mlflow", "spark", "milvus", "qdrant")

NAMES = r"Apache|0?BSD|MIT|ISC|MPL-2\.0|Mozilla Public License 2\.0|PSF|Python Software Foundation|Zlib|CC0|BSL-1\.0"
COMPATIBLE = rf"\b({NAMES})\b"
"""Licences of software that a project under Apache-2.0 may depend on: permissive ones, and MPL, which covers changes to
its own files alone."""

UNNAMED = "not named"

TITLE = """# Licences

Everything that `pip install 'adi-retrieval[{extras}]'` installs on Linux with a
build of torch for CPUs, with the licence that its package names, as `make licences` wrote it. A project under
Apache-2.0 may depend on all of it; MPL-2.0 asks that changes to the package's own files be published, and adi changes
none. Builds of torch for GPUs also install NVIDIA's libraries, under NVIDIA's own licences. Wheels bundle other
libraries, such as OpenBLAS in numpy's, and have their licences.

| package | version | licence |
|---|---|---|
"""


def installed(name: str, extras: Sequence[str]) -> dict[str, Distribution]:
    """All that a distribution needs with some of its extras, by name, without itself.

    Raises `PackageNotFoundError` for one that is not installed.
    """
    needed: dict[str, Distribution] = {}
    waiting, seen = [(name, frozenset(extras))], set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        needed[name] = distribution(name)
        for requirement in _requirements(needed[name], wanted):
            waiting.append((re.sub(r"[-_.]+", "-", requirement.name).lower(), frozenset(requirement.extras)))
    return {name: needed[name] for name in sorted(needed) if name != ROOT}


def _requirements(package: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for text in package.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def licence_of(package: Distribution) -> str:
    """The licence that a package names: its expression, else its classifiers, else the first line of its text."""

    def values(field: str) -> list[str]:
        return package.metadata.get_all(field) or []

    classifiers = [text.rpartition(" :: ")[2] for text in values("Classifier") if text.startswith("License ::")]
    first_lines = [text.partition("\n")[0] for text in values("License")]
    return next(
        (text for text in (*values("License-Expression"), ", ".join(classifiers), *first_lines) if text), UNNAMED
    )


def table(packages: dict[str, Distribution]) -> tuple[str, list[str]]:
    """The page, and a sentence for each package whose licence is not one of `COMPATIBLE`."""
    licences = {name: licence_of(package) for name, package in packages.items()}
    rows = [f"| {name} | {packages[name].version} | {licence} |\n" for name, licence in licences.items()]
    faults = [
        f"{name}: the licence '{licence}' is not one of those that are known to be compatible with Apache-2.0."
        for name, licence in licences.items()
        if not _is_compatible(licence)
    ]
    return TITLE.format(extras=",".join(EXTRAS)) + "".join(rows), faults


def _is_compatible(licence: str) -> bool:
    """True if every part of an expression that must be kept is compatible, and one of those to choose from."""
    parts = re.split(r"\s+AND\s+", licence)
    return all(any(re.search(COMPATIBLE, each) for each in re.split(r"\s+OR\s+|, ", part)) for part in parts)


def main() -> None:
    try:
        text, faults = table(installed(ROOT, EXTRAS))
    except PackageNotFoundError as error:
        sys.exit(f"{error.name} is not installed. Run: make setup")
    print(text, end="")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
