"""Pydantic models that refuse unknown keys, read from YAML, with errors that name the key and the value at fault."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from adi.errors import AdiError, suggestion

Content = TypeVar("Content", bound=BaseModel)


class Strict(BaseModel):
    """A model that is frozen and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Loader(yaml.SafeLoader):
    """Refuses a key that comes twice; YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for position, key in enumerate(keys):
            if (key.tag, key.value) in [(other.tag, other.value) for other in keys[:position]]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' comes twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, model: type[Content]) -> Content:
    """A YAML file as a pydantic model. Raises `AdiError`, naming the file, the key and the value at fault."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AdiError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(content, dict):
        required = ", ".join(key for key, field in model.model_fields.items() if field.is_required())
        raise AdiError(f"{path}: is to be a mapping with the keys {required}.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise AdiError(f"{path}: {describe(error, model)}") from None


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """All faults of a validation, one line each: the key, what is wrong, the value, a known key like it."""
    lines = []
    for fault in error.errors(include_url=False):
        key = ".".join(str(part) for part in fault["loc"]) or "(whole file)"
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            known = _known_keys(model, fault["loc"][:-1])
            message = f"is not a known key.{suggestion(str(fault['loc'][-1]), known)}"
            if known:
                message += f" Known: {', '.join(known)}."
        elif fault["type"] != "missing" and not isinstance(fault["input"], dict | list | BaseModel):
            message = f"{message} (got {fault['input']!r})"
        lines.append(f"{key}: {message}")
    return "\n  ".join(["", *lines]) if len(lines) > 1 else lines[0]


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
