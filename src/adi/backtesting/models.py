"""Models of a backtest, each with its settings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adi.errors import AdiError, ArgumentError
from adi.models.catalog import model_of
from adi.models.model import Model
from adi.training.settings import TrainingSettings, as_config, settings_for


def configs_of(models: Sequence[str], given: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """All settings of each model, by its name or path.

    A setting, such as ``epochs`` or ``training.epochs``, goes to every model that has it; with a model before it,
    ``dnn.epochs``, to that model alone.

    Raises `ArgumentError` for no model, for one that is unknown or comes twice; and `AdiError` for a setting that no
    model has, and for a value that does not fit.
    """
    if not models:
        raise ArgumentError("models", "none; give one or more, as in popularity,dnn.")
    if twice := [name for name in models if models.count(name) > 1]:
        raise ArgumentError("models", f"'{twice[0]}' comes twice.")
    kinds = {}
    for name in models:
        try:
            kinds[name] = model_of(name)
        except ArgumentError as error:
            raise ArgumentError("models", error.message) from None
    of_model: dict[str, dict[str, Any]] = {name: {} for name in models}
    named: list[tuple[str, str, Any]] = []
    for key, value in _leaves(given or {}):
        owner = next((name for name in models if key.startswith(f"{name}.")), None)
        if owner is not None:
            named.append((owner, key.removeprefix(f"{owner}."), value))
            continue
        owners = [name for name, kind in kinds.items() if _has(kind, key)]
        if not owners:
            raise AdiError(f"setting '{key}' does not exist for any of {', '.join(models)}.")
        for name in owners:
            of_model[name][key] = value
    for owner, key, value in named:  # what names its model wins
        of_model[owner][key] = value
    return {name: as_config(settings_for(kind, of_model[name])) for name, kind in kinds.items()}


def _leaves(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings with flat keys: ``training.epochs`` for ``{"training": {"epochs": ...}}``."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{leaf}", inner) for leaf, inner in _leaves(value))
        else:
            yield key, value


def _has(model: Model, key: str) -> bool:
    section, _, leaf = key.rpartition(".")
    sections = {"model": model.settings.model_fields}
    if model.trained:
        sections["training"] = TrainingSettings.model_fields
    return any(leaf in fields and section in ("", name) for name, fields in sections.items())
