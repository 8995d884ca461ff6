"""Help is documentation: there at once, with every default and an example."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from adi.cli.main import app
from adi.sources.catalog import SOURCES

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]

HEAVY = ["torch", "duckdb", "ibis", "pyarrow", "altair", "numpy", "yaml"]

LOAD = """
import sys
from adi.cli.main import app
for words in [["--help"], *([name, "--help"] for name in sys.argv[1].split(","))]:
    try:
        app(words)
    except SystemExit as end:
        assert end.code == 0, words
    print("loaded:", " ".join(words[:-1]), [name for name in sys.argv[2].split() if name in sys.modules])
"""


def text_of(help_page: str) -> str:
    """A page without its boxes and line breaks."""
    return " ".join(re.sub("[─│╭╮╰╯]", " ", help_page).split())


def test_there_are_the_commands_of_the_pipeline() -> None:
    assert set(COMMANDS) >= {"init", "simulate", "dataset", "prepare", "models", "train", "evaluate", "retrieve"}


def test_help_imports_nothing_heavy() -> None:
    words = [sys.executable, "-c", LOAD, ",".join(COMMANDS), " ".join(HEAVY)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    loaded = [line for line in done.stdout.splitlines() if line.startswith("loaded:")]
    assert loaded == [f"loaded: {name} []" for name in ["", *COMMANDS]]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_an_example_and_every_default(adi, name: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    shown = text_of(adi(name, "--help").stdout)
    assert f"Example: adi {name}" in shown
    defaults = 0
    for parameter in command.params:
        assert parameter.help, parameter.name  # type: ignore[attr-defined]  # what it is for
        if parameter.default is None or parameter.is_flag or parameter.required:
            continue
        assert f"[default: {parameter.default}]" in shown, parameter.name
        defaults += 1
    assert defaults == shown.count("[default: ") - shown.count("[default: (")


@pytest.mark.parametrize("words", [[], ["train"]])
def test_a_short_form(adi, words: list[str]) -> None:
    assert adi(*words, "-h").stdout == adi(*words, "--help").stdout


def test_the_first_page_lists_commands_and_a_first_run(adi) -> None:
    done = adi("--help")
    shown = text_of(done.stdout)
    assert done.returncode == 0
    assert [name for name in COMMANDS if f" {name} " not in shown] == []
    for step in ("adi simulate tables", "adi prepare tables", "adi train prepared", "adi evaluate run", "adi retrieve"):
        assert step in shown


def test_dataset_names_every_data_set(adi) -> None:
    assert [name for name in SOURCES if name not in text_of(adi("dataset", "--help").stdout)] == []


def test_version(adi) -> None:
    done = adi("--version")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", done.stdout)


def test_models_are_listed_with_what_they_are(adi) -> None:
    from adi.models.catalog import MODELS

    shown = text_of(adi("models").stdout)
    for name, model in MODELS.items():
        assert f" {name} {model.summary}" in shown


def test_completion_of_a_shell_knows_the_commands() -> None:
    asked = {"COMP_WORDS": "adi tra", "COMP_CWORD": "1", "_ADI_COMPLETE": "complete_bash"}
    words = [str(Path(sys.executable).with_name("adi"))]
    done = subprocess.run(words, env=os.environ | asked, capture_output=True, text=True)
    assert done.stdout.split() == ["train"]
