"""Tuned settings of each data set's models, in ``settings/NAME.yaml`` beside this module, by default for its source.

two_tower     of every two-tower model, so that all have the same size
models        of single models in addition or instead, by name

Settings have bare names, as in ``adi train --set``.
"""

from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Any

from adi.models.catalog import model_of
from adi.reproduce.datasets import DATASETS
from adi.strict import Strict, read_yaml
from adi.training.settings import RunSettings, settings_for


class Tuned(Strict):
    """The content of a settings file."""

    two_tower: dict[str, Any]
    models: dict[str, dict[str, Any]]


def read_tuned(dataset: str) -> Tuned:
    """Read the settings tuned for a data set. Raises `AdiError` for a file of another form."""
    name = DATASETS[dataset].settings or DATASETS[dataset].source
    with as_file(files("adi.reproduce") / "settings" / f"{name}.yaml") as path:
        tuned = read_yaml(path, Tuned)
    for name in tuned.models:
        model_of(name)
    return tuned


def tuned_settings(tuned: Tuned, model: str, overrides: Mapping[str, Any]) -> RunSettings:
    """All settings of a model: `overrides` over the tuned settings over the model's defaults.

    Raises `AdiError` for an unknown model, and for a setting that it does not have or a value that does not fit.
    """
    shared = tuned.two_tower if model_of(model).trained else {}
    return settings_for(model_of(model), {**shared, **tuned.models.get(model, {}), **overrides})
