"""A Sphinx extension that writes the pages of the reference from the code: commands, settings and HTTP.

They are written into docs/reference before the pages are read, and are not in git.
"""

import json
import logging
import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells how it was built
FOLDER = Path(__file__).parents[1] / "reference"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", lambda app: write_pages())
    app.connect("autodoc-process-docstring", code_blocks)
    return {"parallel_read_safe": True}


def write_pages() -> None:
    pages = {"command-line.md": command_line(), "settings.md": settings(), "http.md": http()}
    FOLDER.mkdir(exist_ok=True)
    for name, lines in pages.items():
        text = "\n".join(lines) + "\n"
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text:
            (FOLDER / name).write_text(text, encoding="utf-8")


def command_line() -> Iterator[str]:
    """Every command with its options, from the command line itself."""
    from typer.main import get_command

    from adi.cli.exit_codes import MEANINGS
    from adi.cli.main import app

    yield "# Command line\n"
    yield "`adi COMMAND --help` prints the same. With `--json`, standard output has the result as one line of JSON and"
    yield "nothing else. Messages, progress and errors are on standard error, as text or as JSON"
    yield "([pipelines](../pipelines.md)).\n"
    yield "## Exit codes\n"
    yield "| code | |"
    yield "|---|---|"
    yield from (f"| {code} | {meaning} |" for code, meaning in MEANINGS.items())
    yield ""
    for name, command in commands_of(get_command(app)):
        yield f"## adi {name}\n"
        yield markdown(cleandoc(command.help or ""))
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        for argument in command.params:
            if argument.param_type_name == "argument":
                yield f"\n`{(argument.name or '').upper()}`: {markdown(argument.help or '')}\n"
        if options:
            yield "\n| option | default | |"
            yield "|---|---|---|"
        for option in options:
            names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
            yield f"| {names} | {default_of(option)} | {cell(markdown(option.help or ''))} |"
        yield ""


def commands_of(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Each command with its name, those of a group after the group."""
    for name, command in group.commands.items():
        yield before + name, command
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{before}{name} ")


def default_of(option: Any) -> str:
    if isinstance(option.show_default, str):
        return cell(option.show_default)
    if option.required:
        return "needed"
    if option.default is None or option.default is False or callable(option.default):
        return ""
    return f"`{option.default}`"


def markdown(text: str) -> str:
    """Text with rich's markup as Markdown."""
    return re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", text)


def cell(text: str) -> str:
    """A text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def settings() -> Iterator[str]:
    """The settings of training and of each model, with types, ranges and defaults."""
    from adi.models.catalog import MODELS
    from adi.models.settings import TowerSettings
    from adi.training.settings import TrainingSettings

    yield "# Settings\n"
    yield "They are given by `adi train --set NAME=VALUE`, `--config FILE`, or `settings=` of `adi.train`. Values *by"
    yield "the data* depend on the prepared dataset ([method](../method.md)): `adi train PREPARED --model MODEL"
    yield "--show-config` prints them with the reason.\n"
    yield from section("Training of every two-tower model", TrainingSettings)
    yield from section("Every two-tower model", TowerSettings)
    shared = set(TowerSettings.model_fields)
    seen: set[type] = {TowerSettings}
    for model in MODELS.values():
        kind = model.settings
        if kind not in seen and set(kind.model_fields) - (shared if issubclass(kind, TowerSettings) else set()):
            seen.add(kind)
            names = ", ".join(name for name, other in MODELS.items() if other.settings is kind)
            yield from section(names, kind, without=shared if issubclass(kind, TowerSettings) else set())


def section(title: str, kind: Any, without: set[str] | None = None) -> Iterator[str]:
    """A model of settings: its docstring, and a table of its fields."""
    yield f"## {title}\n"
    yield re.sub(r"\(`adi\.[\w.]+`\)", "", cleandoc(kind.__doc__ or "")) + "\n"
    yield "| setting | values | default |"
    yield "|---|---|---|"
    properties = kind.model_json_schema()["properties"]
    for name, field in kind.model_fields.items():
        if name not in (without or set()):
            value = "*by the data*" if field.default is None else f"`{json.dumps(field.default)}`"
            yield f"| `{name}` | {cell(values_of(properties[name]))} | {value} |"
    yield ""


def values_of(described: dict[str, Any]) -> str:
    """The values that a field takes, in words, from its JSON schema."""
    if "anyOf" in described:
        return " or ".join(values_of(option) for option in described["anyOf"] if option.get("type") != "null")
    if "enum" in described:
        return ", ".join(f"`{value}`" for value in described["enum"])
    if described.get("type") == "array":
        return f"a list of {values_of(described.get('items', {}))}"
    words = {"integer": "whole number", "number": "number", "boolean": "true, false", "string": "text"}
    word = words.get(described.get("type", ""), "value")
    limits = [
        f"{sign} {described[key]}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if key in described
    ]
    return " ".join([word, ", ".join(limits)]).strip()


def http() -> Iterator[str]:
    """The endpoints of a server, from its OpenAPI description."""
    from types import SimpleNamespace

    from adi.serving.app import create_app
    from adi.serving.metrics import Metrics

    content = create_app(SimpleNamespace(metrics=Metrics())).openapi()  # type: ignore[arg-type]  # no request is answered
    yield "# HTTP\n"
    yield "A server describes itself at `/openapi.json`, with every field, and shows that at `/docs`;"
    yield "[serving](../serving.md) explains it.\n"
    yield "| | | answers |"
    yield "|---|---|---|"
    for path, methods in content["paths"].items():
        for method, operation in methods.items():
            about = cell(operation.get("summary") or operation.get("description", ""))
            yield f"| `{method.upper()} {path}` | {about} | {', '.join(operation['responses'])} |"


def code_blocks(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make indented examples in docstrings blocks of code: reStructuredText wants two colons before them."""
    result: list[str] = []
    for number, line in enumerate(lines):
        starts = line.startswith("    ") and number >= 2 and not lines[number - 1].strip()
        if starts and not lines[number - 2].startswith((" ", ":", "..")) and not lines[number - 2].endswith(":"):
            result += [".. code-block:: python", ""]
        result.append(line)
    lines[:] = result
