"""The differences of a domain from shared weights, which learn more slowly with fewer users."""

import re

import pytest

from adi.data.dataset import Dataset
from adi.models.catalog import MODELS
from adi.training.loop import Training
from adi.training.settings import settings_for


@pytest.mark.parametrize("model", ["adi-se", "dnn-single"])
@pytest.mark.parametrize("delta_users", [1, 50, 1000])
def test_rates_of_the_differences(market, tmp_path, model, delta_users):
    dataset, kind = Dataset(market), MODELS[model]
    settings = settings_for(kind, {"dim": 8, "lr": 0.01, "delta_users": delta_users}).for_data(dataset.manifest)
    towers = kind.build(dataset, settings.model)
    dense = Training(towers, kind.loss, dataset, settings.training, tmp_path, 0, None).step.dense
    rate = {id(weight): group["lr"] for group in dense.param_groups for weight in group["params"]}

    users = [counts.users for counts in dataset.manifest.by_domain.values()]
    assert len(set(users)) == 3
    assert min(users) < 50 < max(users)
    rates = {0: set(), 1: set(), 2: set(), "shared": set()}
    for name, weight in towers.named_parameters():
        delta = re.search(r"\.deltas\.(\d)$", name)
        if weight.requires_grad:
            rates[int(delta[1]) if delta else "shared"].add(rate[id(weight)])
    if model == "adi-se":
        assert rates.pop("shared") == {0.01}
        expected = {domain: 0.01 * min(1, count / delta_users) for domain, count in enumerate(users)}
        assert {domain: max(each) for domain, each in rates.items()} == pytest.approx(expected)
        assert {len(each) for each in rates.values()} == {1}
    else:  # networks of one domain each, without a difference to learn
        assert set.union(*rates.values()) == {0.01}
