"""Tutorials run as a reader would run them, and print what their pages show, but for numbers."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

from tutorials import cells_of, masked, notebook, outputs_of  # noqa: E402

PAGES = sorted((DOCS / "tutorials").glob("*.md"))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_prints_what_its_page_shows(page: Path, tmp_path: Path) -> None:
    cells = list(cells_of(page.read_text(encoding="utf-8")))
    assert any(cell.output for cell in cells)
    for cell, output in zip(cells, outputs_of(cells, tmp_path), strict=True):
        if cell.output or cell.language == "console":
            assert masked(output) == masked(cell.output), cell.code


TEXT = """# Title

```console
$ echo one \\
  two
one two
$ touch file
```

Then:

```python
seen = 41
print("a", seen)
```

```
a 41
```

```yaml
key: value
```

```python
assert seen == 41
```
"""


def test_the_cells_of_a_page() -> None:
    cells = list(cells_of(TEXT))
    assert [(cell.language, cell.code, cell.output) for cell in cells] == [
        ("console", "echo one \\\n  two\n", "one two\n"),
        ("console", "touch file\n", ""),
        ("python", 'seen = 41\nprint("a", seen)\n', "a 41\n"),
        ("python", "assert seen == 41\n", ""),
    ]
    assert [TEXT[slice(*cell.span)] for cell in cells] == [cell.output for cell in cells]


def test_cells_run_in_order_in_one_folder(tmp_path: Path) -> None:
    cells = list(cells_of(TEXT))
    assert list(outputs_of(cells, tmp_path)) == ["one two\n", "", "a 41\n", ""]
    assert (tmp_path / "file").exists()


@pytest.mark.parametrize("code", ["```python\nprint(1)\n1 / 0\n```\n", "```console\n$ echo 1; exit 3\n```\n"])
def test_an_error_ends_it_with_what_was_printed(code: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with[^1]*1\n|ended with:\n1\n"):
        list(outputs_of(list(cells_of(code)), tmp_path))


def test_numbers_versions_and_widths_are_masked() -> None:
    assert masked("ann  +0.067 ──\n 1,026\n") == masked("ann -0.5 ─ 12") == "ann # #"
    assert masked("Wrote b, version d9c7405de866.") == masked("Wrote b, version 6279a2cd0c28.")
    assert masked("helps") != masked("hurts")


def test_a_notebook_has_the_text_and_the_code_of_the_page() -> None:
    cells = notebook(TEXT)["cells"]
    assert [cell["source"] for cell in cells if cell["cell_type"] == "code"] == [
        "!echo one \\\n  two\n!touch file",
        'seen = 41\nprint("a", seen)',
        "assert seen == 41",
    ]
    assert [cell["source"] for cell in cells if cell["cell_type"] == "markdown"][:2] == ["# Title", "Then:"]
    assert "key: value" in cells[-3]["source"] + cells[-2]["source"]
