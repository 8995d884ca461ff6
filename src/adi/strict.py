"""Pydantic models that refuse unknown keys, with errors that name the key and the value at fault."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from adi.documents import read_document
from adi.errors import AdiError, shortened, suggestion

Content = TypeVar("Content", bound=BaseModel)


class Strict(BaseModel):
    """A model that is frozen and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


MOST_FAULTS = 10
"""Faults of one file that its error lists."""

WITHOUT_VALUE = {"missing", "extra_forbidden", "union_tag_invalid", "union_tag_not_found"}
"""Kinds of faults whose message has the value, or that have none."""

NAMES = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""The pattern of names that become file names."""

PLAIN = {
    "missing": "is missing",
    "string_type": "should be text",
    "string_too_short": "should {least}",
    "int_": "should be a whole number",
    "float_": "should be a number",
    "finite_number": "should be a finite number",
    "bool_": "should be true or false",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be a mapping of keys to values",
    "model_": "should be a mapping of keys to values",
    "date": "should be a date or a time, such as 2024-01-31 or 2024-01-31 12:30:00",
    "too_short": "should {least}",
    "too_long": "should not be longer than {max_length}",
    "greater_than_equal": "should be {ge} or more",
    "greater_than": "should be more than {gt}",
    "less_than_equal": "should be {le} or less",
    "less_than": "should be less than {lt}",
    "union_tag_invalid": "the {name} '{tag}' is unknown.{suggestion} Known: {expected_tags}",
    "union_tag_not_found": "the key '{name}' is missing",
}
"""Messages by the beginnings of pydantic's kinds of faults, which have the limits of the field."""


def read_yaml(path: Path, model: type[Content]) -> Content:
    """A YAML file as a pydantic model. Raises `AdiError`, naming the file, the key and the value at fault."""
    content = read_document(path)
    if not isinstance(content, dict):
        required = ", ".join(key for key, field in model.model_fields.items() if field.is_required())
        raise AdiError(f"{path}: is to be a mapping with the keys {required}.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise AdiError(f"{path}: {describe(error, model, content)}") from None


def check_unique(key: str, names: Collection[str]) -> None:
    """Raise `ValueError` for names below a key that are equal but for their case: DuckDB takes them for the same."""
    for name in names:
        alike = [other for other in names if other.casefold() == name.casefold()]
        if (times := alike.count(name)) > 1:
            raise ValueError(f"{key}: the name '{name}' is used {times} times; names are unique")
        if len(alike) > 1:
            raise ValueError(f"{key}: the names '{alike[0]}' and '{alike[1]}' differ in case alone; rename one of them")


def describe(error: ValidationError, model: type[BaseModel], content: object = None) -> str:
    """The faults of a validation, one line each: the key, what is wrong, the value, a known key like it.

    With the `content` that was validated, keys are those of the content, and not those of pydantic, which has the names
    of types among them.
    """
    faults = _by_key(error.errors(include_url=False), content)
    lines = [_described(key, some, model) for key, some in list(faults.items())[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        lines.append(f"and {len(faults) - MOST_FAULTS:,} faults more.")
    return "\n  ".join(["", *lines]) if len(lines) > 1 else lines[0]


def _by_key(faults: Sequence[ErrorDetails], content: object) -> dict[tuple[int | str, ...], list[ErrorDetails]]:
    """The faults of each key, without those that only follow from the faults of keys inside it."""
    by_key: dict[tuple[int | str, ...], list[ErrorDetails]] = {}
    for fault in faults:
        key = fault["loc"] if content is None else _key_in(content, fault["loc"])
        by_key.setdefault(key, []).append(fault)
    outer = {key[:length] for key in by_key for length in range(len(key))}
    for key in outer & by_key.keys():
        if all(fault["type"] in ("literal_error", "too_short") for fault in by_key[key]):
            del by_key[key]
    return by_key


def _key_in(content: Any, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The parts of a location that are keys of the content, or the key that is missing; not those that name types."""
    key: list[int | str] = []
    for number, part in enumerate(location):
        is_key = isinstance(content, Mapping) and part in content
        is_position = isinstance(content, list | tuple) and isinstance(part, int) and part < len(content)
        is_missing = isinstance(content, Mapping) and number == len(location) - 1 and str(part).islower()
        if is_key or is_position:
            content = content[part]
        if is_key or is_position or (is_missing and str(part).isidentifier()):
            key.append(part)
    return tuple(key)


def _described(key: tuple[int | str, ...], faults: Sequence[ErrorDetails], model: type[BaseModel]) -> str:
    """The faults of one key, of which there are several where it may be of several types: in one sentence."""
    name = shortened(".".join(str(part) for part in key)) or "(whole file)"
    messages = list(dict.fromkeys(_message(fault, model) for fault in faults))
    beginning = "should be "
    if len(messages) > 1 and all(message.startswith(beginning) for message in messages):
        *first, last = (message.removeprefix(beginning) for message in messages)
        messages = [f"{beginning}{', '.join(first)}, or {last}"]
    message = "; ".join(messages)
    fault = faults[0]
    if fault["type"] not in WITHOUT_VALUE and not isinstance(fault["input"], dict | list | BaseModel):
        message = f"{message} (got {shortened(repr(fault['input']))})"
    return f"{name}: {message}"


def plain_message(fault: Mapping[str, Any]) -> str:
    """What pydantic says of a value, in plain words."""
    kind, limits = fault["type"], dict(fault.get("ctx", {}))
    if kind == "string_pattern_mismatch" and limits["pattern"] == NAMES:
        return "should be a name of letters, digits and underscores"
    limits |= {name: int(limit) for name, limit in limits.items() if isinstance(limit, float) and limit.is_integer()}
    limits["least"] = (
        "not be empty" if limits.get("min_length") == 1 else f"not be shorter than {limits.get('min_length')}"
    )
    limits["name"] = str(limits.get("discriminator")).strip("'")
    limits["suggestion"] = suggestion(str(limits.get("tag")), re.findall("'([^']+)'", limits.get("expected_tags", "")))
    for beginning, message in PLAIN.items():
        if kind.startswith(beginning):
            return message.format_map(limits)
    message = str(fault["msg"]).removeprefix("Value error, ")
    return message.replace("Input should be", "should be", 1)


def _message(fault: ErrorDetails, model: type[BaseModel]) -> str:
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, fault["loc"][:-1])
        message = f"is not a known key.{suggestion(str(fault['loc'][-1]), known)}"
        return f"{message} Known: {', '.join(known)}." if known else message
    return plain_message(fault)


def _known_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The keys of the (possibly nested, possibly tagged) model at a location below `model`."""
    current: type[BaseModel] = model
    for part in location:
        field = current.model_fields.get(str(part))
        if field is None:
            continue
        models = _models_in(field.annotation)
        if len(models) == 1:
            current = models[0]
        elif models:
            tag = location[-1]
            tagged = [m for m in models if tag in getattr(m.model_fields["kind"].annotation, "__args__", ())]
            current = tagged[0] if tagged else current
    return list(current.model_fields)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The models in a type annotation, such as the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]
