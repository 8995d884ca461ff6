"""YAML documents that a user gives: the only reader of them, which trusts none."""

import os
import stat
from pathlib import Path
from typing import Any

import yaml

from adi.errors import AdiError

MOST_BYTES = 1 << 20
"""Size of the largest file that is read: a schema of a thousand domains takes a twentieth of it."""

MOST_VALUES = 50_000
"""Values and keys of the largest document, those that its aliases repeat included."""

DEEPEST = 50
LONGEST_NUMBER = 100


class _Loader(yaml.CSafeLoader):
    """Refuses a key that comes twice, of which YAML would silently keep the last, and numbers without end."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _fault(f"the key '{key.value}' comes twice", key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> Any:
        if len(node.value) > LONGEST_NUMBER:
            raise _fault(
                f"a number of {len(node.value):,} characters, of which adi reads {LONGEST_NUMBER}", node.start_mark
            )
        construct = yaml.SafeLoader.yaml_constructors[node.tag]
        try:
            return construct(self, node)
        except ValueError as error:  # such as the date 2026-13-01
            raise _fault(f"'{node.value}' is no value ({error})", node.start_mark) from None


for _kind in ("int", "float", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)


def read_document(path: Path) -> Any:
    """The content of a YAML file: mappings, lists and plain values; None if it is empty.

    Raises `AdiError`, naming the file, for one that cannot be read, is no regular file or larger than `MOST_BYTES`, and
    as `parse_document` does.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # else a pipe that nobody writes would be waited for
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise AdiError(f"{path}: is no regular file. Give a YAML file; write to one what comes from a program.")
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise AdiError(f"{path}: cannot be read ({error.strerror}).") from None
    if len(content) > MOST_BYTES:
        raise AdiError(f"{path}: has more than {MOST_BYTES:,} bytes, which no YAML file for adi needs. Shorten it.")
    try:
        return parse_document(content.decode(), str(path))
    except UnicodeDecodeError as error:
        raise AdiError(f"{path}: not readable as YAML: {error}. Save it as UTF-8.") from None


def parse_document(text: str, name: str) -> Any:
    """The content of a YAML text; `name` stands for it in messages.

    Raises `AdiError` for a text that is not YAML, a key that comes twice, a number of more than `LONGEST_NUMBER`
    characters, and a document with more than `MOST_VALUES` values or more than `DEEPEST` levels.
    """
    try:
        _check_size(text)
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise AdiError(f"{name}: not readable as YAML: {_described(error)}") from None


def _described(error: yaml.YAMLError) -> str:
    """An error of YAML in one line, its place first."""
    if isinstance(error, yaml.reader.ReaderError):
        return f"{error.reason} (character {error.position + 1})."
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"{error}."
    at = error.problem_mark
    return f"line {at.line + 1}, column {at.column + 1}: {', '.join(filter(None, (error.context, error.problem)))}."


def _check_size(text: str) -> None:
    """Go through a document without building it. An alias counts as all that it repeats."""
    total = 0
    sizes: dict[str, int] = {}  # of what each anchor names
    parents: list[tuple[str | None, int]] = []  # for each level, its anchor, and the total before it
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _fault(f"'*{event.anchor}' is not defined before it", event.start_mark)
            total += sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                parents.append((event.anchor, total - 1))
            elif event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = parents.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        if total > MOST_VALUES:
            raise _fault(f"more than {MOST_VALUES:,} values, with those that aliases repeat", event.start_mark)
        if len(parents) > DEEPEST:
            raise _fault(f"more than {DEEPEST} levels", event.start_mark)


def _fault(message: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, message, mark)
