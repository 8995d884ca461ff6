"""Checks of the documentation: schemas are valid, Python runs, commands and scripts exist, links lead somewhere."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.main import get_command

from adi.cli.abtest import DEFAULT
from adi.cli.main import app
from adi.models.catalog import MODELS
from adi.router.table import RoutingTable
from adi.schema import Schema
from adi.serving.experiment import Experiment
from adi.training.settings import settings_for
from benchmarks.__main__ import COMMANDS as BENCHMARKS
from benchmarks.__main__ import command_line

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = [*ROOT.glob("*.md"), *(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "reference")]
COMMANDS: dict[str, dict[str, Any]] = {
    "adi": get_command(app).commands,  # type: ignore[attr-defined]
    "python -m benchmarks": get_command(command_line(BENCHMARKS)).commands,  # type: ignore[attr-defined]
}
"""The commands of each command line, by name."""

PROGRAMS = "|".join(COMMANDS)

AROUND = """
domains: {column: domain}
interactions: {path: log.csv, user: user_id, item: item_id, time: ts}
tables:
  users: {path: users.csv, key: user_id}
  user_domain: {path: user_domain.csv, key: [user_id, domain]}
  items: {path: items.csv, key: item_id}
  item_domain: {path: item_domain.csv, key: [item_id, domain]}
features:
  user: [{name: history, kind: behaviours}]
  item: [{name: item_id, kind: id}]
"""
"""A schema for the snippets that show one section of it."""


class Snippet(NamedTuple):
    """A fenced block of a page; `line` is its first."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets_of(page: Path) -> Iterator[Snippet]:
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Snippet(page, text.count("\n", 0, block.start()) + 2, block[1], block[2])


SNIPPETS = [snippet for page in PAGES for snippet in snippets_of(page)]
YAML = [snippet for snippet in SNIPPETS if snippet.language == "yaml"]


def commands_in(snippet: Snippet) -> list[tuple[str, str]]:
    """The commands of a console block as (program, arguments), without prompts and with continued lines joined."""
    return re.findall(rf"^(?:\$ )?({PROGRAMS}) (.+)$", snippet.text.replace("\\\n", " "), re.MULTILINE)


SHELL = [
    (snippet.name, *command) for snippet in SNIPPETS if snippet.language != "python" for command in commands_in(snippet)
]
MENTIONED = sorted(
    {
        (str(page.relative_to(ROOT)), *command)
        for page in PAGES
        for command in re.findall(rf"`({PROGRAMS}) ([^`]+)`", page.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize("snippet", YAML, ids=lambda snippet: snippet.name)
def test_a_yaml_snippet_is_a_schema_a_part_of_one_settings_an_experiment_or_a_routing_table(snippet: Snippet) -> None:
    content = yaml.safe_load(snippet.text)
    if set(content) & {"model", "training"}:
        settings_for(MODELS["adi-se"], content)
        return
    if set(content) == {"domains"} and "column" not in content["domains"]:
        RoutingTable.model_validate(content)
        return
    if "arms" in content:
        Experiment.model_validate(content)
        return
    whole = yaml.safe_load(AROUND)
    if "features" in content and set(content) != set(Schema.model_fields):
        content["features"] = whole["features"] | content["features"]
    Schema.model_validate(content if {"domains", "interactions", "features"} <= set(content) else whole | content)


def test_the_reference_shows_every_key_of_the_schema_and_its_default() -> None:
    page = (ROOT / "docs" / "schema.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", page)) + " ".join(s.text for s in YAML)))
    description = Schema.model_json_schema()
    models = [description, *description["$defs"].values()]
    keys = {key: field for model in models for key, field in model["properties"].items()}
    assert set(keys) - words == set()
    defaults = {key: str(field["default"]).lower() for key, field in keys.items() if _is_plain(field.get("default"))}
    assert {key: value for key, value in defaults.items() if f"{key}: {value}" not in page} == {}
    assert (len(keys), len(defaults)) >= (30, 8)


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the snippets name: tables, prepared and run."""
    import adi

    folder = tmp_path_factory.mktemp("stage")
    adi.simulate(folder / "tables", adi.Marketplace(users=270, items=200, interactions=4000))
    adi.prepare(folder / "tables", folder / "prepared")
    small = {
        "epochs": 1,
        "batch_size": 512,
        "embedding_sets": 1,
        "embedding_dim": 8,
        "networks": [8],
        "dim": 8,
        "uniform": 50,
    }
    adi.train(folder / "prepared", "adi-se", folder / "run", settings=small)
    adi.evaluate(folder / "run")
    return folder


@cache
def pages_with_python() -> list[Path]:
    """Without the tutorials, which `tests/test_tutorials.py` runs."""
    return sorted({s.page for s in SNIPPETS if s.language == "python" and s.page.parent != TUTORIALS})


@pytest.mark.parametrize("page", pages_with_python(), ids=lambda page: page.name)
def test_the_python_of_a_page_runs(
    page: Path, stage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other in one module, as a reader would type them."""
    monkeypatch.chdir(stage)
    module: dict[str, Any] = {"__name__": "__main__"}
    for snippet in SNIPPETS:
        if snippet.page == page and snippet.language == "python":
            exec(compile("\n" * (snippet.line - 1) + snippet.text, str(page), "exec"), module)
            assert capsys.readouterr().out, f"{snippet.name} shows nothing"


def command_of(program: str, name: str, words: list[str]) -> tuple[Any, list[str]]:
    """A command, or of a group with a default (`adi abtest`) the one that the words are for; and its own words."""
    command = COMMANDS[program][name]
    if not hasattr(command, "commands") or not words:
        return command, words
    if words[0] in command.commands:
        return command.commands[words[0]], words[1:]
    return command.commands[DEFAULT], words


@pytest.mark.parametrize(("place", "program", "arguments"), SHELL)
def test_a_command_line_can_be_parsed(place: str, program: str, arguments: str) -> None:
    name, *words = shlex.split(arguments.split(" | ")[0], comments=True)
    command, words = command_of(program, name, words)
    command.make_context(name, words)


@pytest.mark.parametrize(("place", "program", "arguments"), MENTIONED)
def test_a_command_in_the_text_exists_with_its_options(place: str, program: str, arguments: str) -> None:
    name, *words = re.sub(r"[\[\]…]|\.\.\.", " ", arguments).split()
    if name.startswith("--"):
        return
    command, words = command_of(program, name, words)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} - known == set()


def test_the_scripts_that_pages_name_exist() -> None:
    named = {path for page in PAGES for path in re.findall(r"\bexamples/\w+\.\w+", page.read_text(encoding="utf-8"))}
    assert {path for path in named if not (ROOT / path).exists()} <= {"examples/results.sh"}  # gone, in CHANGELOG.md
    assert "examples/where_ahead.py" in named


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors_of(linked), target


def anchors_of(page: Path) -> set[str]:
    """What GitHub names the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_there_was_something_to_check() -> None:
    """Renamed folders or another form of fence would make the tests above pass without checking anything."""
    docs = [snippet for snippet in SNIPPETS if snippet.page.parent != ROOT]
    counts = {language: sum(s.language == language for s in docs) for language in ("yaml", "python")}
    assert counts["yaml"] >= 10
    assert counts["python"] >= 10
    assert len(SHELL) >= 10
    assert {program for _, program, _ in SHELL} == set(COMMANDS)
    assert {page.name for page in PAGES} >= {"schema.md", "data.md", "datasets.md", "results.md", "CONTRIBUTING.md"}
    assert ROOT / "README.md" in pages_with_python()
