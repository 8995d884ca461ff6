"""The settings of a run: those of its model and of its training."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from adi.data.blend import Kind
from adi.data.manifest import Manifest
from adi.durations import DurationOrOff
from adi.errors import AdiError, suggestion
from adi.models.model import Model, TrainedModel
from adi.strict import Strict, describe
from adi.training.defaults import Default, defaults_for


def _kinds(value: Any) -> Any:
    """The kinds of a blend; false: none, true: those that the data allows."""
    if isinstance(value, bool):
        return None if value else ()
    return value


class TrainingSettings(Strict):
    """Settings of the training of a two-tower model.

    The default None of a setting depends on the data (`for_data`).

    A step has `batch_size` rows: by default 1024 up to 200,000 rows, else 4096. Negatives are the
    other positives of the domain in the batch (`in_batch`), and `uniform` items of the domain's corpus, or all of it
    if it has no more; by default 1000 above 200,000 rows and without trends, else 250. Where the log drifts, the rows
    of both defaults are those that its weighted rows are worth. `causal` histories contain only rows earlier than the
    sample; otherwise, in training, they contain all other training rows of the user. At most `validation_rows` rows of
    each domain are used for validation.

    Networks learn at `lr`. A domain's differences from shared weights (the model's `shrinkage`) learn at `lr` if the
    domain has `delta_users` users or more; with fewer, at `lr` times its share of them, such as half of `lr` with half.

    `unknown_items` is the share of known item ids, in histories and of candidates, that a batch takes for unknown, so
    that items without training rows get a trained embedding; by default .1 where the data has trends, else 0.

    With `row_half_life`, older training rows count less, by half for each half-life of age: an epoch draws them by
    weight, as many as these are worth (`adi.training.row_weights`), and the popularity prior and what follows in a
    blend count them by weight.
    It is a duration such as "12h", or a number where the log's time is a number; by default the longest half-life of
    the trends where the data has them, what `adi prepare` measured where the log drifts, else off.

    With `keep: mean`, the run keeps the epoch with the highest validation NDCG@`k`, averaged over the domains.
    Training stops after `epochs`, or if that mean has not improved for `patience` epochs: by default 30, and 8 up to
    200,000 rows and without trends, else 4. With `keep: domain`, each domain keeps its own best epoch, and
    training stops if no domain has improved for `patience` epochs. With `average` above 0, validation and the kept
    weights use the exponential moving average of the weights, with this decay.

    `self_training` (`adi.training.self_training`) starts after the fraction `self_training_start` of the steps of all
    `epochs`. For each pair of domains, it accepts the share `self_training_share` of the eligible pairs of a user and
    an item, which grows by `self_training_growth` per step up to `self_training_cap`. A domain gets at most
    `self_training_limit` pseudo-positives per sample of its own. With self-training, `patience` counts only epochs
    that have pseudo-positives from their first step.

    `blend` names the kinds of scores that are added to those of the model, with weights chosen by the NDCG@`k` of the
    validation rows after training (`adi.training.blend`); false: none, true: those of the default. With trends there
    are none: the counters have co-clicks.

    - ``similar``: items that are similar to those of the history; by default where they are quick to count, with at
      most 200,000 items, and at most 1e8 pairs of rows of a user, by the mean.
    - ``follows``: items that users take soon after the newest ones of the history; by default where the log has time
      and at most 5 million rows.
    - ``repeats``: the items of the history themselves, by how often and how recently they were taken; by default where
      the schema says `repeats: true`.

    `refit` trains again, from fresh weights, on the training and validation rows, for as many epochs as were best, and
    keeps those weights; with `keep: domain`, each domain keeps those of as many epochs as were best for it. By default
    it does so where the validation is by time, whose rows are the newest and worth the most, and where it holds more
    than 2 % of the rows of some domain.
    """

    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    lr: float = Field(3e-3, gt=0.0)
    embedding_lr: float = Field(0.05, gt=0.0)
    weight_decay: float = Field(0.0, ge=0.0)
    delta_users: int = Field(5000, ge=1)
    in_batch: bool = True
    uniform: int | None = Field(None, ge=0)
    causal: bool = True
    unknown_items: float | None = Field(None, ge=0.0, lt=1.0)
    row_half_life: DurationOrOff | None = None
    k: int = Field(50, ge=1)
    keep: Literal["mean", "domain"] = "mean"
    patience: int | None = Field(None, ge=1)
    average: float = Field(0.99, ge=0.0, lt=1.0)
    validation_rows: int = Field(10_000, ge=1)
    checkpoint_steps: int = Field(5000, ge=1)
    blend: Annotated[tuple[Kind, ...] | None, BeforeValidator(_kinds)] = None
    refit: bool | None = None
    self_training: bool = False
    self_training_start: float = Field(0.5, ge=0.0, lt=1.0)
    self_training_share: float = Field(0.05, gt=0.0, le=1.0)
    self_training_growth: float = Field(1e-4, ge=0.0)
    self_training_cap: float = Field(0.1, gt=0.0, le=1.0)
    self_training_limit: float = Field(1.0, gt=0.0)

    def for_data(self, manifest: Manifest) -> "SettingsForData":
        """The settings with the defaults that suit a dataset (`adi.training.defaults`) in place of None."""
        values = {name: value for name, value in self if value is not None}
        defaults = {default.name: default.value for default in defaults_for(manifest, self.row_half_life)}
        return SettingsForData(**{name: values.get(name, defaults.get(name)) for name in type(self).model_fields})

    @model_validator(mode="after")
    def _has_negatives(self) -> "TrainingSettings":
        if not self.in_batch and self.uniform == 0:
            raise ValueError("no negatives: turn on in_batch, or set uniform to 1 or more")
        return self

    @model_validator(mode="after")
    def _share_within_cap(self) -> "TrainingSettings":
        if self.self_training_share > self.self_training_cap:
            raise ValueError(
                f"self_training_share {self.self_training_share} is above self_training_cap {self.self_training_cap}"
            )
        return self


class SettingsForData(TrainingSettings):
    """Settings none of which depends on the data any more."""

    epochs: int
    batch_size: int
    patience: int
    uniform: int
    unknown_items: float
    row_half_life: int | float | str
    blend: tuple[Kind, ...]
    refit: bool


TRAINING_SEARCH: dict[str, dict[str, Any]] = {
    "lr": {"low": 5e-4, "high": 2e-2, "log": True},
    "embedding_lr": {"low": 0.01, "high": 0.3, "log": True},
    "uniform": {"choices": [250, 500, 1000, 2000, 4000]},
}
"""The default search space of `adi tune` for the training of any model."""


class RunSettings(Strict):
    """The settings of a run; `training` is None for a fitted model."""

    model: Strict
    training: TrainingSettings | None

    def by_data(self, manifest: Manifest) -> tuple[Default, ...]:
        """The settings that the data decides (`adi.training.defaults`), given ones left out."""
        if self.training is None:
            return ()
        undecided = {name for section in (self.model, self.training) for name, value in section if value is None}
        defaults = defaults_for(manifest, self.training.row_half_life)
        return tuple(default for default in defaults if default.name in undecided)

    def for_data(self, manifest: Manifest) -> "RunSettings":
        """The settings with the defaults that suit a dataset in place of None, for the model and its training."""
        if self.training is None:
            return self
        of_model = {default.name: default.value for default in self.by_data(manifest)}
        of_model = {name: value for name, value in of_model.items() if name in type(self.model).model_fields}
        return RunSettings(model=self.model.model_copy(update=of_model), training=self.training.for_data(manifest))

    def refits(self, manifest: Manifest) -> bool:
        """Whether the model of a run is that of all rows; a fitted model is where `refit` is on by default."""
        training = TrainingSettings() if self.training is None else self.training
        return training.for_data(manifest).refit


def settings_for(model: Model, given: Mapping[str, Any] | None = None) -> RunSettings:
    """A model's default settings, overridden by `given`.

    `given` may be nested, `{"training": {"epochs": 3}}`, or flat, `{"epochs": 3}` or `{"training.epochs": 3}`.

    Raises `AdiError` for an unknown key, naming the most similar one, and for an invalid value.
    """
    sections: dict[str, type[Strict]] = {"model": model.settings}
    if model.trained:
        sections["training"] = TrainingSettings
    section_of = {key: name for name, section in sections.items() for key in section.model_fields}
    values: dict[str, dict[str, Any]] = {"model": {}, "training": {}}
    for key, value in (*model.defaults.items(), *(given or {}).items()):
        if key in sections and isinstance(value, Mapping):
            values[key].update(value)
            continue
        section, _, leaf = key.rpartition(".")
        if not model.trained and leaf in TrainingSettings.model_fields:
            raise AdiError(
                f"setting '{key}' belongs to training, and {model.name} is fitted without training. "
                "Leave it out, or choose a model that is trained, such as adi-se."
            )
        if section_of.get(leaf) is None or section not in ("", section_of[leaf]):
            raise AdiError(
                f"setting '{key}' does not exist for {model.name}.{suggestion(leaf, section_of)} "
                f"Known: {', '.join(f'{name}.{key}' for key, name in section_of.items()) or 'none'}."
            )
        values[section_of[leaf]][leaf] = value
    built = {}
    for name, section_type in sections.items():
        try:
            built[name] = section_type.model_validate(values[name])
        except ValidationError as error:
            raise AdiError(f"settings of {model.name}: {name}.{describe(error, section_type, values[name])}") from None
    _check_encoder(model, built["model"])
    training = built.get("training")
    return RunSettings(model=built["model"], training=training if isinstance(training, TrainingSettings) else None)


def _check_encoder(model: Model, settings: Strict) -> None:
    """Raise `AdiError` for a history encoder that a trained model does not have."""
    if not isinstance(model, TrainedModel):
        return
    behaviours: str = settings.behaviours  # type: ignore[attr-defined]
    if behaviours not in model.encoders:
        known = f"{', '.join(model.encoders)}.{suggestion(behaviours, model.encoders)}"
        raise AdiError(f"settings of {model.name}: model.behaviours: '{behaviours}' is not one of {known}")


def as_config(settings: RunSettings) -> dict[str, Any]:
    """Convert settings to plain values, as in run.json and in the output of --show-config."""
    config = {"model": settings.model.model_dump(mode="json")}
    if settings.training is not None:
        config["training"] = settings.training.model_dump(mode="json")
    return config
