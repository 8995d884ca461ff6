"""The digest of the code: only code that makes results changes it."""

from pathlib import Path

import pytest

from adi.grid.versions import EXCLUDED, code_digest

SOURCE = '''"""A module."""

LIMIT = 3


class Thing:
    """A thing."""

    size: int = 1
    """How large."""

    def grow(self, by: int) -> int:
        """Grow it."""
        # because
        return self.size + by
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name in ("losses", "models/thing", "cli/main", "guessing/draft", "report/page", "__init__"):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(SOURCE)
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A thing.", "Another thing."),
        ("A module.", "Another module."),
        ("How large.", "How wide."),
        ("# because", "# for a better reason"),
        ("(self, by: int)", "(\n        self, by: int\n    )"),
        ('    """Grow it."""\n', ""),
    ],
)
def test_words_and_layout_do_not_count(package: Path, before: str, after: str) -> None:
    digest = code_digest(package)
    assert before in SOURCE
    (package / "models" / "thing.py").write_text(SOURCE.replace(before, after))
    assert code_digest(package) == digest


@pytest.mark.parametrize(("before", "after"), [("= 3", "= 4"), ("+ by", "- by"), ("Thing", "Item"), ("by: int", "by")])
def test_code_counts(package: Path, before: str, after: str) -> None:
    digest = code_digest(package)
    (package / "models" / "thing.py").write_text(SOURCE.replace(before, after))
    assert code_digest(package) != digest


@pytest.mark.parametrize("name", ["cli/main", "guessing/draft", "report/page", "__init__"])
def test_parts_that_make_no_results_do_not_count(package: Path, name: str) -> None:
    digest = code_digest(package)
    (package / f"{name}.py").write_text("LIMIT = 4\n")
    assert code_digest(package) == digest


def test_a_new_part_counts(package: Path) -> None:
    digest = code_digest(package)
    (package / "novelty.py").write_text("LIMIT = 4\n")
    assert code_digest(package) != digest


def test_moving_code_between_files_counts(package: Path) -> None:
    digest = code_digest(package)
    (package / "models" / "thing.py").rename(package / "models" / "think.py")
    assert code_digest(package) != digest


def test_excluded_parts_exist() -> None:
    source = Path(__file__).parents[2] / "src" / "adi"
    assert {path.stem for path in source.iterdir()} >= EXCLUDED
