"""Tutorials: pages whose Python and shell commands are run in order, and whose outputs are what these print.

    python docs/_ext/tutorials.py [NAME...]    runs tutorials in a new folder and writes their outputs into the pages

As a Sphinx extension it also offers each tutorial as a Jupyter notebook, without outputs.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = Path(__file__).parents[1] / "tutorials"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
"""A fenced block, with the output that follows it if that is an unlabelled block."""

DRIVER = """
import json, sys
names = {"__name__": "__main__"}
for line in sys.stdin:
    exec(compile(json.loads(line), "tutorial", "exec"), names)
    print(end="\\0", flush=True)
"""
"""Runs the Python cells that it is sent, all in one module, and ends the output of each with a NUL."""


@dataclass(frozen=True)
class Cell:
    """A block that is run: Python, or commands of a shell.

    Args:
        language: ``python`` or ``console``.
        code: Python, or commands without their prompts, one a line.
        output: what the page shows as printed.
        span: where the output is in the page's text.
    """

    language: str
    code: str
    output: str
    span: tuple[int, int]


def cells_of(text: str) -> Iterator[Cell]:
    """The cells of a page, in order."""
    for block in BLOCK.finditer(text):
        if block[1] == "python" and block[3] is not None:
            yield Cell("python", block[2], block[3], block.span(3))
        elif block[1] == "python":
            yield Cell("python", block[2], "", (block.end(), block.end()))
        elif block[1] == "console":
            yield from _commands(block[2], block.start(2))


def _commands(text: str, start: int) -> Iterator[Cell]:
    """The commands of a console block, each with what follows up to the next prompt."""
    for command in re.finditer(r"^\$ ((?:.*\\\n)*.*\n)((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
        yield Cell("console", command[1], command[2], (start + command.start(2), start + command.end(2)))


def outputs_of(cells: list[Cell], folder: Path) -> Iterator[str]:
    """The output of each cell when all are run in order in a folder. An error ends it and has the output so far."""
    words = [sys.executable, "-c", DRIVER]
    with subprocess.Popen(words, cwd=folder, stdin=PIPE, stdout=PIPE, stderr=STDOUT, text=True) as python:
        for cell in cells:
            output = _asked(python, cell.code) if cell.language == "python" else _shell(cell.code, folder)
            yield re.sub(r"[ \t]+$", "", output, flags=re.MULTILINE)


def _asked(python: "subprocess.Popen[str]", code: str) -> str:
    assert python.stdin is not None
    assert python.stdout is not None
    python.stdin.write(json.dumps(code) + "\n")
    python.stdin.flush()
    output = ""
    while not output.endswith("\0"):
        character = python.stdout.read(1)
        if not character:
            raise RuntimeError(f"{code}\nended with:\n{output}")
        output += character
    return output[:-1]


def _shell(code: str, folder: Path) -> str:
    programs = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    done = subprocess.run(
        ["bash", "-c", code], cwd=folder, env=os.environ | programs, stdout=PIPE, stderr=STDOUT, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{code}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def masked(output: str) -> str:
    """An output without what differs between machines: numbers, versions, and the widths of tables."""
    output = re.sub(r"\b[0-9a-f]{12}\b", "#", output)
    return re.sub(r"[-+]?\.?\d[\d,.]*(?:e-?\d+)?", "#", re.sub(r"[ \n─]+", " ", output)).strip()


def write_outputs(page: Path) -> None:
    """Run a tutorial and put what it prints into its page."""
    text = page.read_text(encoding="utf-8")
    cells = list(cells_of(text))
    with TemporaryDirectory() as folder:
        outputs = list(outputs_of(cells, Path(folder)))
    for cell, output in reversed(list(zip(cells, outputs, strict=True))):
        if cell.language == "console" or cell.output:
            text = text[: cell.span[0]] + output.strip("\n") + "\n" * bool(output) + text[cell.span[1] :]
    page.write_text(text, encoding="utf-8")


def notebook(text: str) -> dict[str, Any]:
    """A page as a Jupyter notebook, without outputs."""
    cells: list[dict[str, Any]] = []
    end = 0
    for block in BLOCK.finditer(text):
        if block[1] in ("python", "console"):
            cells.append({"cell_type": "markdown", "source": text[end : block.start()].strip()})
            commands = "".join(f"!{cell.code}" for cell in _commands(block[2], 0))
            code = (commands if block[1] == "console" else block[2]).strip()
            cells.append({"cell_type": "code", "source": code, "outputs": [], "execution_count": None})
            end = block.end()
    cells.append({"cell_type": "markdown", "source": text[end:].strip()})
    numbered = [{"id": f"cell-{number}", "metadata": {}, **cell} for number, cell in enumerate(cells)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": numbered}


def setup(app: "Sphinx") -> dict[str, bool]:
    app.connect("html-page-context", _offer_notebook)
    app.connect("build-finished", _write_notebooks)
    return {"parallel_read_safe": True}


def _offer_notebook(app: "Sphinx", name: str, template: str, context: dict[str, Any], doctree: object) -> None:
    if name.startswith("tutorials/") and doctree is not None:
        link = f'<p><a download href="{Path(name).name}.ipynb">Download this page as a notebook</a></p>'
        context["body"] += link


def _write_notebooks(app: "Sphinx", error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for page in sorted((Path(app.srcdir) / "tutorials").glob("*.md")):
            content = json.dumps(notebook(page.read_text(encoding="utf-8")), indent=1)
            (Path(app.outdir) / "tutorials" / f"{page.stem}.ipynb").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    for chosen in [FOLDER / f"{name}.md" for name in sys.argv[1:]] or sorted(FOLDER.glob("*.md")):
        write_outputs(chosen)
        print(chosen.name)
