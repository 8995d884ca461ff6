import pytest

from adi.errors import AdiError
from adi.models.adi import AdiBackbone
from adi.models.catalog import MODELS, CountedModel, TrainedModel, build, model_named
from adi.models.dnn import DnnBackbone
from adi.training.run import settings_for


def test_every_name_is_found_and_has_valid_defaults():
    for name, model in MODELS.items():
        assert model_named(name) is model
        settings = settings_for(name)
        assert type(settings.model) is model.settings
        assert (settings.training is None) == isinstance(model, CountedModel)
        for key, value in getattr(model, "defaults", {}).items():
            assert getattr(settings.model, key) == value


def test_an_unknown_name_is_refused_with_the_nearest_and_all_known():
    with pytest.raises(
        AdiError, match=r"'adi-sse' is not a model\. Did you mean 'adi-se'\? Known: popularity, item-knn"
    ):
        model_named("adi-sse")


def test_adi_variants_differ_in_their_adaptation_alone():
    kinds = {name: settings_for(name).model.adaptation for name in ("adi-se", "adi-va", "adi-lt")}
    assert kinds == {"adi-se": "se", "adi-va": "attention", "adi-lt": "linear"}


def test_the_papers_form_is_literal():
    paper = settings_for("adi-paper").model
    assert (paper.shrinkage, paper.norm, paper.residual, paper.adaptation) == (False, "domain", False, "se")
    assert (paper.fusion, paper.fusion_gate, paper.shared_networks) == ("concat", "scalar", 1)


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if isinstance(model, TrainedModel)])
def test_built_for_the_features_of_a_dataset(dataset, name):
    model = build(MODELS[name], dataset, settings_for(name, {"embedding_dim": 3, "dim": 4}).model)
    backbone = DnnBackbone if name == "dnn" else AdiBackbone
    assert type(model.user_tower.backbone) is type(model.item_tower.backbone) is backbone
    assert model.user_tower.backbone is not model.item_tower.backbone
    assert len(model.user_tower.names) == 8
    assert len(model.item_tower.names) == 5
