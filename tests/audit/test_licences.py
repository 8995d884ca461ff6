"""The list of licences: what is in it, and what makes it fail."""

from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from audit import licences
from audit.licences import EXTRAS, ROOT, installed, licence_of, table


def package(requires: tuple[str, ...] = (), **fields: str | list[str]) -> Distribution:
    metadata = Message()
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            metadata[name.replace("_", "-")] = value
    return cast("Any", SimpleNamespace(metadata=metadata, requires=requires, version="1.0"))


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License_Expression": "MIT", "License": "other"}, "MIT"),
        ({"Classifier": ["Topic :: X", "License :: OSI Approved :: BSD License"], "License": "text"}, "BSD License"),
        ({"License": "Apache-2.0\n  and more"}, "Apache-2.0"),
        ({}, "not named"),
    ],
)
def test_the_licence_is_what_the_package_says_best(fields: dict[str, Any], licence: str) -> None:
    assert licence_of(package(**fields)) == licence


@pytest.mark.parametrize(
    ("licence", "compatible"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("LGPL-2.1", False),
        ("NVIDIA Proprietary Software", False),
        ("LIMITED", False),
        ("not named", False),
    ],
)
def test_a_licence_that_is_not_known_to_be_compatible_is_named(licence: str, compatible: bool) -> None:
    page, faults = table({"thing": package(License_Expression=licence)})
    assert f"| thing | 1.0 | {licence} |" in page
    assert [fault.partition(":")[0] for fault in faults] == ([] if compatible else ["thing"])


def test_what_is_needed_is_followed_through_extras_and_markers(monkeypatch) -> None:
    packages = {
        "adi-retrieval": package(('a[fast]; extra == "serve"', 'b; extra == "dev"', 'c; python_version < "3"')),
        "a": package(("D.e", 'f_g; extra == "fast"', 'h; extra == "slow"')),
        "d-e": package(("a",)),
        "f-g": package(),
    }
    monkeypatch.setattr(licences, "distribution", packages.__getitem__)
    assert list(installed(ROOT, ["serve"])) == ["a", "d-e", "f-g"]


def test_all_that_is_installed_here_is_compatible() -> None:
    packages = installed(ROOT, EXTRAS)
    assert {"torch", "pyyaml", "starlette"} < set(packages)
    assert table(packages)[1] == []


def test_a_package_that_is_missing_is_named(monkeypatch) -> None:
    def missing(name: str) -> Distribution:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(licences, "distribution", missing)
    with pytest.raises(SystemExit, match=r"adi-retrieval is not installed\. Run: make setup"):
        licences.main()


def test_the_page_lists_every_dependency_that_the_project_names() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "licences.md").read_text(encoding="utf-8")
    direct = [
        requirement.name.lower()
        for requirement in licences._requirements(licences.distribution(ROOT), frozenset(EXTRAS))
    ]
    assert [name for name in direct if name != ROOT and f"| {name} |" not in page] == []
