"""Tuned settings of each data set's models, in ``settings/NAME.yaml`` beside this module, by default for its source.

two_tower     of every two-tower model, so that all have the same size
models        of single models in addition or instead, by name

Settings have bare names, as in ``adi train --set``.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml
from pydantic import ValidationError

from adi.errors import AdiError
from adi.models.catalog import model_of
from adi.reproduce.datasets import DATASETS
from adi.strict import Strict, describe
from adi.training.settings import RunSettings, settings_for


class Tuned(Strict):
    """The content of a settings file."""

    two_tower: dict[str, Any]
    models: dict[str, dict[str, Any]]


def read_tuned(dataset: str) -> Tuned:
    """Read the settings tuned for a data set. Raises `AdiError` for a file of another form."""
    name = DATASETS[dataset].settings or DATASETS[dataset].source
    path = files("adi.reproduce") / "settings" / f"{name}.yaml"
    try:
        tuned = Tuned.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise AdiError(f"{path}: not readable as YAML: {error}") from None
    except ValidationError as error:
        raise AdiError(f"{path}: {describe(error, Tuned)}") from None
    for name in tuned.models:
        model_of(name)
    return tuned


def tuned_settings(tuned: Tuned, model: str, overrides: Mapping[str, Any]) -> RunSettings:
    """All settings of a model: `overrides` over the tuned settings over the model's defaults.

    Raises `AdiError` for an unknown model, and for a setting that it does not have or a value that does not fit.
    """
    shared = tuned.two_tower if model_of(model).trained else {}
    return settings_for(model_of(model), {**shared, **tuned.models.get(model, {}), **overrides})
