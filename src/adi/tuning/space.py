"""The search space: which settings are tried, and between what.

A space maps the name of a setting to ``{low, high}``, with ``log: true`` on a logarithmic scale, or to ``{choices}``:

    lr: {low: 0.0003, high: 0.01, log: true}
    networks: {choices: [[64], [128], [256, 128]]}
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from adi.errors import AdiError, ArgumentError, suggestion
from adi.models.model import Model
from adi.schema import Strict, describe
from adi.training.settings import TRAINING_SEARCH, RunSettings, as_config, settings_for

Config = dict[str, Any]
"""All settings of a model as plain values by section, as `as_config` gives them."""

JUDGES = {"k", "validation_rows"}
"""Settings that decide how well a trial does, whatever its model."""


class Range(Strict):
    """Every number from `low` to `high`; whole numbers for a setting that is one."""

    low: int | float
    high: int | float
    log: bool = False

    def holds(self, value: Any) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


class Choices(Strict):
    """One of the listed values."""

    choices: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        return value in self.choices


Space = dict[str, Range | Choices]
"""From the bare name of a setting to its values, each in the type of the setting."""


def search_space(model: Model, settings: RunSettings, given: Mapping[str, Any] | None = None) -> Space:
    """The space `given` for a model, else its default, with every value checked against the model's settings.

    Raises `AdiError` naming the setting that does not exist or the value that does not fit, and for a model that has
    no default space where none is given.
    """
    config = as_config(settings)
    known = sections(config)
    if not known:
        raise AdiError(f"{model.name} has nothing to tune. Choose another model; adi models lists them.")
    if given is None:
        given = {**(TRAINING_SEARCH if model.trained else {}), **model.search}
        if not given:
            raise ArgumentError("space", f"{model.name} has no default search space. Give one.")
    if not given:
        raise AdiError("space: is empty. Name at least one setting, as in lr: {low: 0.001, high: 0.01}.")
    space: Space = {}
    for name, values in given.items():
        section, _, leaf = str(name).rpartition(".")
        if known.get(leaf) is None or section not in ("", known[leaf]):
            raise AdiError(
                f"space: setting '{name}' does not exist for {model.name}.{suggestion(leaf, known)} "
                f"Known: {', '.join(f'{place}.{key}' for key, place in known.items())}."
            )
        if leaf in JUDGES:
            raise AdiError(f"space: {leaf}: trials are judged by it, so it must be the same in all. Use --set instead.")
        if leaf in space:
            raise AdiError(f"space: setting '{leaf}' is there twice.")
        space[leaf] = _dimension(model, config, leaf, values)
    return space


def sections(config: Config) -> dict[str, str]:
    """The section of every setting."""
    return {leaf: section for section, values in config.items() for leaf in values}


def changed(config: Config, values: Mapping[str, Any]) -> Config:
    """A config with other values of some settings, given by their bare names."""
    places = sections(config)
    other = {section: dict(settings) for section, settings in config.items()}
    for leaf, value in values.items():
        other[places[leaf]][leaf] = value
    return other


def as_mapping(space: Space) -> dict[str, Any]:
    """A space as plain values, as a file has them."""
    return {name: dimension.model_dump(mode="json", exclude_defaults=True) for name, dimension in space.items()}


def _dimension(model: Model, config: Config, name: str, values: Any) -> Range | Choices:
    if not isinstance(values, Mapping):
        raise AdiError(f"space: {name}: {values!r} is neither {{low, high}} nor {{choices}}.")
    kind: type[Range | Choices] = Choices if "choices" in values else Range
    try:
        dimension = kind.model_validate(values)
    except ValidationError as error:
        raise AdiError(f"space: {name}: {describe(error, kind)}") from None

    def fitting(value: Any) -> Any:
        try:
            built = settings_for(model, changed(config, {name: value}))
        except AdiError as error:
            raise AdiError(f"space: {name}: {error}") from None
        return as_config(built)[sections(config)[name]][name]

    if isinstance(dimension, Choices):
        if len(dimension.choices) < 2:
            raise AdiError(
                f"space: {name}: {len(dimension.choices)} choices leave nothing to choose. Use --set instead."
            )
        return Choices(choices=tuple(fitting(value) for value in dimension.choices))
    low, high = fitting(dimension.low), fitting(dimension.high)
    if isinstance(low, bool):
        raise AdiError(f"space: {name}: is true or false and has no range. Give choices: [true, false].")
    if low >= high:
        raise AdiError(f"space: {name}: low {low} is not below high {high}.")
    if dimension.log and low <= 0:
        raise AdiError(f"space: {name}: low {low} is not above 0, as a logarithmic scale needs.")
    return Range(low=low, high=high, log=dimension.log)
