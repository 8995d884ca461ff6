"""Search spaces: the default ones fit every model, given ones are checked before anything runs."""

import re
from typing import Any

import pytest

from adi.data.manifest import DomainCounts, Manifest, TrendInfo
from adi.errors import AdiError
from adi.models.catalog import MODELS
from adi.training.settings import as_config, settings_for
from adi.tuning.space import Choices, Range, as_mapping, changed, search_space, sections

TUNABLE = [name for name, model in MODELS.items() if model.search]


def space_of(model: str, given: Any = None, **settings: Any) -> dict[str, Range | Choices]:
    return search_space(MODELS[model], settings_for(MODELS[model], settings), given)


@pytest.mark.parametrize("trend", [None, TrendInfo(half_lives=(1.0, 5.0), delay=0.1)])
@pytest.mark.parametrize("model", TUNABLE)
def test_every_model_has_a_default_space_around_its_default_settings(model: str, trend: TrendInfo | None) -> None:
    counts = DomainCounts(train=9, validation=1, test=1, users=5, items=5, corpus=5)
    manifest = Manifest.model_construct(
        trend=trend, time="number", by_domain={"search": counts}, users=5, items=5, features=(), repeats=False
    )
    settings = settings_for(MODELS[model]).for_data(manifest)
    config = as_config(settings)
    values = {name: value for section in config.values() for name, value in section.items()}
    space = search_space(MODELS[model], settings, None, [3.0])
    assert len(space) >= 1
    assert {name: values[name] for name, dimension in space.items() if not dimension.holds(values[name])} == {}


def test_models_share_a_space_as_far_as_they_share_settings() -> None:
    assert set(space_of("adi-se")) - set(space_of("dnn")) == {"delta_users"}
    assert set(space_of("dnn")) - set(space_of("lightgcn")) == {"networks"}


def test_a_given_space_replaces_the_default() -> None:
    assert list(space_of("adi-se", {"training.lr": {"low": 1e-4, "high": 0.1}})) == ["lr"]


def test_values_get_the_type_of_their_setting() -> None:
    given = {
        "lr": {"low": "1e-4", "high": 1, "log": True},  # YAML reads 1e-4 as text
        "model.dim": {"low": 2, "high": 9.0},
        "networks": {"choices": [[8], ["16", 8]]},
        "training.causal": {"choices": ["yes", False]},
    }
    space = space_of("dnn", given)
    assert space == {
        "lr": Range(low=0.0001, high=1.0, log=True),
        "dim": Range(low=2, high=9),
        "networks": Choices(choices=([8], [16, 8])),
        "causal": Choices(choices=(True, False)),
    }
    assert [type(bound) for name in ("lr", "dim") for bound in (space[name].low, space[name].high)] == [
        float,
        float,
        int,
        int,
    ]


def test_a_space_as_a_mapping_is_the_same_space() -> None:
    space = space_of("adi-se")
    assert space_of("adi-se", as_mapping(space)) == space


def test_a_range_holds_its_ends_and_no_other_kind_of_value() -> None:
    one = Range(low=2, high=5)
    assert [one.holds(value) for value in (1, 2, 5, 6, None, "3")] == [False, True, True, False, False, False]
    assert [Choices(choices=([8], "a")).holds(value) for value in ([8], (8,), "b")] == [True, False, False]


def test_changed_leaves_the_config_as_it_is() -> None:
    config = as_config(settings_for(MODELS["dnn"]))
    other = changed(config, {"lr": 0.5, "dim": 3})
    assert (other["training"]["lr"], other["model"]["dim"]) == (0.5, 3)
    assert config == as_config(settings_for(MODELS["dnn"]))
    assert sections(config)["lr"] == "training"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lrr": {"low": 1, "high": 2}}, "space: setting 'lrr' does not exist for dnn. Did you mean 'lr'?"),
        ({"model.lr": {"low": 1, "high": 2}}, "setting 'model.lr' does not exist for dnn."),
        ({"shrinkage": {"choices": [True, False]}}, "setting 'shrinkage' does not exist for dnn."),
        ({"training": {"lr": {"low": 1, "high": 2}}}, "setting 'training' does not exist"),
        ({"lr": {"low": 1, "high": 2}, "training.lr": {"low": 1, "high": 2}}, "setting 'lr' appears twice"),
        ({"lr": 0.5}, "space: lr: 0.5 is neither {low, high} nor {choices}."),
        ({"lr": {"low": 0.5, "high": 0.1}}, "space: lr: low 0.5 is not below high 0.1."),
        ({"lr": {"low": 0.5, "high": 0.5}}, "space: lr: low 0.5 is not below high 0.5."),
        ({"lr": {"low": 0.5}}, "space: lr: high: is missing"),
        ({"lr": {"low": 1, "high": 2, "logg": True}}, "space: lr: logg: is not a known key. Did you mean 'log'?"),
        ({"lr": {"low": -1, "high": 2}}, "training.lr: should be more than 0 (got -1)"),
        ({"dropout": {"low": 0, "high": 1}}, "model.dropout: should be less than 1 (got 1)"),
        (
            {"dropout": {"low": 0, "high": 0.5, "log": True}},
            "dropout: low is 0.0; a logarithmic scale needs a value above 0",
        ),
        ({"dim": {"low": 1.5, "high": 8}}, "model.dim: should be a whole number"),
        ({"norm": {"low": 1, "high": 8}}, "model.norm: should be 'none' or 'batch' (got 1)"),
        ({"causal": {"low": 0, "high": 1}}, "space: causal: is true or false and has no range. Give choices"),
        ({"norm": {"choices": ["none", "domain"]}}, "model.norm: should be 'none' or 'batch' (got 'domain')"),
        ({"norm": {"choices": ["none"]}}, "space: norm: choices has 1 values; give at least 2"),
        ({"norm": {"choices": "none"}}, "space: norm: choices: should be a list"),
        ({"k": {"low": 1, "high": 9}}, "space: k: trials are compared by it, so that it cannot vary."),
        ({}, "space: is empty."),
    ],
)
def test_a_wrong_space_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(AdiError, match=re.escape(message)):
        space_of("dnn", given)


def test_a_value_is_checked_beside_the_base_settings() -> None:
    assert space_of("dnn", {"uniform": {"low": 0, "high": 9}})["uniform"] == Range(low=0, high=9)
    with pytest.raises(AdiError, match="no negatives: turn on in_batch"):
        space_of("dnn", {"uniform": {"low": 0, "high": 9}}, in_batch=False)


def test_popularity_has_no_default_space() -> None:
    """Its half-life is one of the data's."""
    with pytest.raises(AdiError, match="popularity has no default search space"):
        space_of("popularity")
