"""Tuned settings of each data set's models, in ``settings/NAME.yaml`` beside this module, by default for its source."""

from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Any

from adi.models.catalog import model_of
from adi.reproduce.datasets import DATASETS
from adi.strict import read_yaml
from adi.training.settings import RunSettings, settings_for
from adi.training.tuned import Tuned


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
    return settings_for(model_of(model), {**tuned.of(model), **overrides})
