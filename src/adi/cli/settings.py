"""Settings as the command line gives them: a YAML file, then single KEY=VALUE pairs over it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from adi.errors import AdiError


def given_settings(config: Path | None, pairs_given: Sequence[str]) -> dict[str, Any]:
    """The settings of a file and of ``--set``, which win; values are read as YAML, so 3 is a number."""
    settings: dict[str, Any] = {}
    if config is not None:
        try:
            content = yaml.safe_load(config.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise AdiError(f"--config: {config}: no such file.") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise AdiError(f"--config: {config}: not readable as YAML: {error}") from None
        if not isinstance(content, dict | None):
            raise AdiError(f"--config: {config}: settings are a mapping, as --show-config prints them.")
        settings = content or {}
    for key, value in pairs(pairs_given, "--set").items():
        section, _, leaf = key.rpartition(".")
        inner = settings.get(section)
        if isinstance(inner, dict):  # the file has the section: the pair goes into it, to win over the file's own
            inner[leaf] = yaml.safe_load(value)
        else:
            settings[key] = yaml.safe_load(value)
    return settings


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping."""
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise AdiError(f"{option}: '{text}' is not of the form KEY=VALUE.")
        found[key] = value
    return found


def list_lengths(text: str) -> list[int]:
    """``10,50`` as numbers."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise AdiError(f"--k: '{text}' is no list of whole numbers such as 10,50,100.") from None


def settings_text(model: str, given: dict[str, Any]) -> str:
    """All settings of a model as YAML, ready for ``--config``."""
    from adi.training.run import as_config, settings_for

    return yaml.safe_dump(as_config(settings_for(model, given)), sort_keys=False).rstrip()
