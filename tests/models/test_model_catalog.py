import copy
import re

import pytest

from adi.errors import AdiError
from adi.models.catalog import MODELS, model_of
from adi.models.model import FittedModel, TrainedModel
from adi.models.settings import TowerSettings
from adi.training.settings import settings_for


def test_every_name_is_found_and_has_valid_defaults():
    for name, model in MODELS.items():
        assert model_of(name) is model
        settings = settings_for(MODELS[name])
        assert type(settings.model) is model.settings
        assert (settings.training is None) == isinstance(model, FittedModel)
        chosen = dict(settings.model) | dict(settings.training or {})
        assert {key: chosen[key] for key in model.defaults} == dict(model.defaults)


def test_networks_that_share_nothing_end_at_their_own_best_epochs():
    assert settings_for(MODELS["dnn-single"]).training.keep == "domain"
    assert settings_for(MODELS["dnn"]).training.keep == "mean"


def test_an_unknown_name_is_refused_with_the_nearest_and_all_known():
    with pytest.raises(
        AdiError,
        match=r"'adi-sse' is not a model\. Did you mean 'adi-se'\? Known: popularity, personal-popularity, co-clicks",
    ):
        model_of("adi-sse")


def test_adi_variants_differ_in_their_adaptation_alone():
    kinds = {name: settings_for(MODELS[name]).model.adaptation for name in ("adi-se", "adi-va", "adi-lt")}
    assert kinds == {"adi-se": "se", "adi-va": "attention", "adi-lt": "linear"}


def test_max_has_more_shared_networks_and_differs_in_nothing_else():
    most, one = settings_for(MODELS["adi-se-max"]).model, settings_for(MODELS["adi-se"]).model
    assert most.shared_networks == 3
    assert most.model_copy(update={"shared_networks": 1}) == one


def test_star_is_network_mul_with_literal_weights_and_no_adaptation():
    star = settings_for(MODELS["star"]).model
    assert (star.fusion, star.shrinkage, star.adaptation) == ("network-mul", False, "none")


def test_comparing_methods_differ_from_adi_in_nothing_that_all_towers_have():
    """The same inputs, sizes, residual path and prior."""
    common = {key: value for key, value in settings_for(MODELS["adi-se"]).model if key in TowerSettings.model_fields}
    for name in ("dnn", "shared-bottom", "cross-stitch", "mmoe", "ple", "star"):
        settings = dict(settings_for(MODELS[name]).model)
        assert {key: settings[key] for key in common} == common, name


LITERAL_ADI = {"adaptation": "none", "shrinkage": False}


def networks_of(dataset, name, options):
    return MODELS[name].count_parameters(dataset, settings_for(MODELS[name], options).model)[0]


def test_methods_of_d_plus_k_networks_have_the_same_size(dataset):
    """ADI section 5.1.4; with fusion: concat ADI's last layer is three times as wide, the networks are the same."""
    for networks in ([256], [128, 64]):
        same = {"networks": networks, "embedding_dim": 32, "dim": 16}
        adi = networks_of(dataset, "adi-se", same | LITERAL_ADI | {"fusion": "sum"})
        for name in ("mmoe", "ple"):
            assert networks_of(dataset, name, same) == pytest.approx(adi, rel=0.05), name
    wide = networks_of(dataset, "adi-se", same | LITERAL_ADI)
    gates = 2 * 2 * 3 * 32 - 2 * (3 * 32 + 1)  # of both towers: two gates and no b instead of one gate and one b
    assert wide - adi == gates + 2 * 3 * (2 * 64 * 16)


def test_parameters_are_those_of_the_built_model(dataset):
    settings = settings_for(MODELS["dnn"], {"embedding_dim": 4, "dim": 5, "networks": [3]}).model
    networks, tables = MODELS["dnn"].count_parameters(dataset, settings)
    built = MODELS["dnn"].build(dataset, settings)
    assert tables == built.tables.weight.numel() == 4 * (sum(f.rows for f in dataset.manifest.features) + 3)
    user, item = 8 * 4 * 3 + 3 + 3 * 5 + 5 + 8 + 4 * 5, 5 * 4 * 3 + 3 + 3 * 5 + 5 + 5 + 4 * 5
    recency_and_prior = 4 + 3 + 1
    assert networks == user + item + recency_and_prior
    assert networks + tables == sum(parameter.numel() for parameter in built.parameters())


@pytest.mark.parametrize("adaptation", ["linear", "attention", "se", "se-global", "se-network"])
def test_an_adaptation_of_lone_features_is_left_out_and_said(dataset, adaptation):
    manifest = dataset.manifest

    def with_features(*names):
        features = tuple(feature for feature in manifest.features if feature.name in names)
        one = copy.copy(dataset)
        one.manifest = manifest.model_copy(update={"features": features})
        return one

    settings = settings_for(MODELS["adi-se"], {"adaptation": adaptation}).model
    model, lone = MODELS["adi-se"], with_features("items", "item_id")
    (note,) = model.notes(lone, settings)
    assert re.search(rf"the layer '{adaptation}' is left out\. .* has only one feature \(items and item_id\)", note)
    without = model.build(lone, settings.model_copy(update={"adaptation": "none"}))
    assert model.build(lone, settings).state_dict().keys() == without.state_dict().keys()
    for names in (("items", "device", "item_id"), ("items", "item_id", "price")):  # a feature of the context counts
        assert model.notes(with_features(*names), settings) == ()
        assert model.build(with_features(*names), settings).state_dict().keys() != without.state_dict().keys()


def test_the_papers_form_is_literal():
    paper = settings_for(MODELS["adi-paper"]).model
    assert (paper.shrinkage, paper.norm, paper.residual, paper.adaptation) == (False, "domain", False, "se")
    assert (paper.fusion, paper.fusion_gate, paper.shared_networks) == ("concat", "scalar", 1)


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if isinstance(model, TrainedModel)])
def test_built_for_the_features_of_a_dataset(dataset, name):
    model = MODELS[name].build(dataset, settings_for(MODELS[name], {"embedding_dim": 3, "dim": 4}).model)
    pair = model.of_domain[2] if name == "dnn-single" else model
    assert type(pair.user_tower.backbone) is type(pair.item_tower.backbone) is MODELS[name].backbone
    assert pair.user_tower.backbone is not pair.item_tower.backbone
    assert len(pair.user_tower.names) == 8
    assert len(pair.item_tower.names) == 5
