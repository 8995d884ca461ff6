"""The search space: the settings that a tuning varies, and their ranges or choices.

A space maps the name of a setting to ``{low, high}``, with ``log: true`` for a logarithmic scale, or to ``{choices}``:

    lr: {low: 0.0003, high: 0.01, log: true}
    networks: {choices: [[64], [128], [256, 128]]}
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from adi.durations import OFF, Duration
from adi.errors import AdiError, ArgumentError, suggestion
from adi.models.model import Model
from adi.strict import Strict, describe
from adi.training.settings import TRAINING_SEARCH, RunSettings, as_config, settings_for

Config = dict[str, Any]
"""All settings of a model as plain values by section, as returned by `as_config`."""

EVALUATION_SETTINGS = {"k", "validation_rows", "refit"}
"""Settings that define how trials are evaluated, and so cannot be tuned. Trials have no refit."""


class Range(Strict):
    """The numbers from `low` to `high`; whole numbers only, for an integer setting."""

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
"""The dimensions of a space by the bare names of the settings, with values of the settings' types."""


def search_space(
    model: Model,
    settings: RunSettings,
    given: Mapping[str, Any] | None = None,
    half_lives: Sequence[Duration] = (),
) -> Space:
    """Check the space `given` for a model, or its default space, against the model's settings.

    The default space of a trained model varies `row_half_life` if there are `half_lives` to choose from.

    Raises `AdiError` for an unknown setting or an invalid value, and if no space is given for a model without a
    default.
    """
    config = as_config(settings)
    known = sections(config)
    if not known:
        raise AdiError(f"{model.name} has nothing to tune. Choose another model; adi models lists them.")
    if given is None:
        given = {**(TRAINING_SEARCH if model.trained else {}), **model.search}
        if model.trained and half_lives:
            default = config["training"]["row_half_life"] or OFF
            given["row_half_life"] = {"choices": list(dict.fromkeys([OFF, default, *half_lives]))}
        if not given:
            raise ArgumentError("space", f"{model.name} has no default search space. Give one.")
    if not given:
        raise AdiError("space: is empty. Name at least one setting, such as lr: {low: 0.001, high: 0.01}.")
    space: Space = {}
    for name, values in given.items():
        section, _, leaf = str(name).rpartition(".")
        if known.get(leaf) is None or section not in ("", known[leaf]):
            raise AdiError(
                f"space: setting '{name}' does not exist for {model.name}.{suggestion(leaf, known)} "
                f"Known: {', '.join(f'{section}.{key}' for key, section in known.items())}."
            )
        if leaf in EVALUATION_SETTINGS:
            raise AdiError(f"space: {leaf}: trials are compared by it, so that it cannot vary. Use --set instead.")
        if leaf in space:
            raise AdiError(f"space: setting '{leaf}' appears twice.")
        space[leaf] = _dimension(model, config, leaf, values)
    return space


def sections(config: Config) -> dict[str, str]:
    """The section of each setting."""
    return {leaf: section for section, values in config.items() for leaf in values}


def changed(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy of a config with new values for some settings, by their bare names."""
    section_of = sections(config)
    copy = {section: dict(settings) for section, settings in config.items()}
    for leaf, value in values.items():
        copy[section_of[leaf]][leaf] = value
    return copy


def as_mapping(space: Space) -> dict[str, Any]:
    """Convert a space to plain values, in the form of a space file."""
    return {name: dimension.model_dump(mode="json", exclude_defaults=True) for name, dimension in space.items()}


def _dimension(model: Model, config: Config, name: str, values: Any) -> Range | Choices:
    """Check the values of one setting."""
    if not isinstance(values, Mapping):
        raise AdiError(f"space: {name}: {values!r} is neither {{low, high}} nor {{choices}}.")
    kind: type[Range | Choices] = Choices if "choices" in values else Range
    try:
        dimension = kind.model_validate(values)
    except ValidationError as error:
        raise AdiError(f"space: {name}: {describe(error, kind)}") from None

    def valid(value: Any) -> Any:
        """The value in the type of the setting."""
        try:
            settings = settings_for(model, changed(config, {name: value}))
        except AdiError as error:
            raise AdiError(f"space: {name}: {error}") from None
        return as_config(settings)[sections(config)[name]][name]

    if isinstance(dimension, Choices):
        if len(dimension.choices) < 2:
            raise AdiError(
                f"space: {name}: choices has {len(dimension.choices)} values; give at least 2, or use --set instead."
            )
        return Choices(choices=tuple(valid(value) for value in dimension.choices))
    low, high = valid(dimension.low), valid(dimension.high)
    if isinstance(low, bool):
        raise AdiError(f"space: {name}: is true or false and has no range. Give choices: [true, false].")
    if low >= high:
        raise AdiError(f"space: {name}: low {low} is not below high {high}.")
    if dimension.log and low <= 0:
        raise AdiError(f"space: {name}: low is {low}; a logarithmic scale needs a value above 0.")
    return Range(low=low, high=high, log=dimension.log)
