"""Pydantic models that refuse unknown keys, with errors that name the key and the value at fault."""

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


def read_yaml(path: Path, model: type[Content]) -> Content:
    """A YAML file as a pydantic model. Raises `AdiError`, naming the file, the key and the value at fault."""
    content = read_document(path)
    if not isinstance(content, dict):
        required = ", ".join(key for key, field in model.model_fields.items() if field.is_required())
        raise AdiError(f"{path}: is to be a mapping with the keys {required}.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise AdiError(f"{path}: {describe(error, model)}") from None


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The faults of a validation, one line each: the key, what is wrong, the value, a known key like it."""
    faults = error.errors(include_url=False)
    lines = [_described(fault, model) for fault in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        lines.append(f"and {len(faults) - MOST_FAULTS:,} faults more.")
    return "\n  ".join(["", *lines]) if len(lines) > 1 else lines[0]


def _described(fault: ErrorDetails, model: type[BaseModel]) -> str:
    key = shortened(".".join(str(part) for part in fault["loc"])) or "(whole file)"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, fault["loc"][:-1])
        message = f"is not a known key.{suggestion(str(fault['loc'][-1]), known)}"
        if known:
            message += f" Known: {', '.join(known)}."
    elif fault["type"] != "missing" and not isinstance(fault["input"], dict | list | BaseModel):
        message = f"{message} (got {shortened(repr(fault['input']))})"
    return f"{key}: {message}"


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
