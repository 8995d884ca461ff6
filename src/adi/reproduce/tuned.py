"""The settings that each data set's models are trained with, in ``settings/<its source>.yaml`` beside this module.

two_tower     for every two-tower model alike, so that all have the same size
models        what single models have beside or instead, by name

A setting has its bare name, as in ``adi train --set``.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml
from pydantic import ValidationError

from adi.errors import AdiError
from adi.models.catalog import model_of
from adi.reproduce.datasets import DATASETS
from adi.schema import Strict, describe
from adi.training.settings import RunSettings, settings_for


class Tuned(Strict):
    """The content of a settings file."""

    two_tower: dict[str, Any]
    models: dict[str, dict[str, Any]]


def read_tuned(dataset: str) -> Tuned:
    """The settings of a data set, which are its source's.

    Raises `AdiError` where the file does not hold what this module says.
    """
    path = files("adi.reproduce") / "settings" / f"{DATASETS[dataset].source}.yaml"
    try:
        tuned = Tuned.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise AdiError(f"{path}: not readable as YAML: {error}") from None
    except ValidationError as error:
        raise AdiError(f"{path}: {describe(error, Tuned)}") from None
    for name in tuned.models:
        model_of(name)
    return tuned


def tuned_settings(tuned: Tuned, model: str, given: Mapping[str, Any]) -> RunSettings:
    """All settings of a model on a data set: its defaults, under those tuned, under the `given` ones.

    Raises `AdiError` for an unknown model, and for a setting that it does not have or a value that does not fit.
    """
    shared = tuned.two_tower if model_of(model).trained else {}
    return settings_for(model_of(model), {**shared, **tuned.models.get(model, {}), **given})
