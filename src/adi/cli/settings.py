"""Settings as the command line gives them: a YAML file, then single KEY=VALUE pairs over it.

`adi.training.settings.settings_for` takes a mapping from a name, bare or after its section (``lr``, ``training.lr``),
to a value; of two names for one setting the later wins.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from adi.cli.show import say, say_json
from adi.documents import parse_document, read_document
from adi.errors import AdiError

SETTINGS = "settings are a mapping, as --show-config prints them."
BY_MODEL = "two_tower"
"""The key of a file that has settings by model (`adi.training.tuned`)."""


def given_settings(config: Path | None, pairs_given: Sequence[str], models: Sequence[str]) -> dict[str, Any]:
    """The settings of a file, then those of ``--set``, which win; values are read as YAML, so 3 is a number.

    Of a file with settings by model, as those of `adi reproduce`, they are those of the model; of several `models`,
    names begin with that of the model: ``dnn.epochs``.
    """
    content = {} if config is None else read_mapping(config, option="--config", meaning=SETTINGS)
    if config is not None and BY_MODEL in content:
        from adi.strict import read_yaml
        from adi.training.tuned import Tuned

        tuned = read_yaml(config, Tuned)
        of_models = [(f"{name}." if len(models) > 1 else "", tuned.of(name)) for name in models]
        content = {f"{before}{key}": value for before, settings in of_models for key, value in settings.items()}
    given = list(content.items())
    for key, value in pairs(pairs_given, "--set").items():
        given.append((key, parse_document(value, f"--set: '{key}={value}'")))
    settings: dict[str, Any] = {}
    for key, value in given:
        by_name = {f"{key}.{leaf}": part for leaf, part in value.items()} if isinstance(value, dict) else {key: value}
        for name, setting in by_name.items():
            settings.pop(name, None)  # the latest comes last, and wins
            settings[name] = setting
    return settings


def read_mapping(path: Path, *, option: str, meaning: str) -> dict[str, Any]:
    """The content of a YAML file whose keys are text, perhaps empty; `meaning` tells in errors what it should hold."""
    try:
        content = read_document(path)
    except AdiError as error:
        raise AdiError(f"{option}: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise AdiError(f"{option}: {path}: {meaning}")
    return content


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping."""
    values = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise AdiError(f"{option}: '{text}' is not of the form KEY=VALUE.")
        values[key] = value
    return values


def list_lengths(text: str) -> list[int]:
    """``10,50`` as numbers."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise AdiError(f"--k: '{text}' is no list of whole numbers such as 10,50,100.") from None


def show_settings(model: str, given: dict[str, Any], prepared: Path, *, as_json: bool) -> None:
    """Print all settings of a model as YAML, ready for ``--config``, or as JSON with the reasons apart.

    Those that depend on the data are null, unless there is a prepared dataset, whose they are then, with the reasons.
    """
    from adi.data.manifest import FILE, read_manifest
    from adi.models.catalog import model_of
    from adi.training.settings import as_config, settings_for

    settings, reasons = settings_for(model_of(model), given), {}
    if (prepared / FILE).exists():
        manifest = read_manifest(prepared)
        reasons = {default.name: default.reason for default in settings.by_data(manifest)}
        settings = settings.for_data(manifest)
    config = as_config(settings)
    if as_json:
        say_json({"config": config, "by_data": reasons})
        return
    comments = (f"# {name}: {reason}" for name, reason in reasons.items())
    say("\n".join([yaml.safe_dump(config, sort_keys=False).rstrip(), *comments]))
