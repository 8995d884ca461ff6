"""Settings of several models: which of them a setting is for."""

import pytest

from adi.backtesting.models import configs_of
from adi.errors import AdiError

MODELS = ["popularity", "dnn", "adi-se"]


def test_a_setting_goes_to_all_models_that_have_it():
    configs = configs_of(MODELS, {"epochs": 3, "training": {"lr": 0.1}})
    assert list(configs) == MODELS
    assert "training" not in configs["popularity"]
    for name in ("dnn", "adi-se"):
        assert (configs[name]["training"]["epochs"], configs[name]["training"]["lr"]) == (3, 0.1)


@pytest.mark.parametrize("given", [{"dnn.epochs": 2, "epochs": 3}, {"epochs": 3, "dnn": {"training": {"epochs": 2}}}])
def test_what_names_its_model_is_for_it_alone_and_wins(given):
    configs = configs_of(MODELS, given)
    assert [configs[name]["training"]["epochs"] for name in ("dnn", "adi-se")] == [2, 3]


@pytest.mark.parametrize(
    ("models", "given", "message"),
    [
        ([], {}, "models: none; give one or more"),
        (["dnn", "dnn"], {}, "models: 'dnn' comes twice"),
        (["dnm"], {}, r"models: 'dnm' is not a model\. Did you mean 'dnn'"),
        (MODELS, {"epoch": 3}, "setting 'epoch' does not exist for any of popularity, dnn, adi-se"),
        (["popularity"], {"epochs": 3}, "setting 'epochs' does not exist for any of popularity"),
        (MODELS, {"popularity.epochs": 3}, "setting 'epochs' belongs to training, and popularity is fitted"),
        (MODELS, {"epochs": 0}, "settings of dnn: training.epochs"),
    ],
)
def test_what_does_not_fit(models, given, message):
    with pytest.raises(AdiError, match=message):
        configs_of(models, given)
