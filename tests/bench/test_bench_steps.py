"""The benchmarks of a step, small; of what they find only that it is there, and that the ways do the same work."""

import pytest
import torch

from adi.bench.train.masked import MaskedBackbone, masked
from adi.bench.train.steps import bench_domains, bench_tables
from adi.bench.train.synthetic import Synthetic
from adi.models.catalog import TrainedModel, model_named
from adi.training.step import batch_loss

KIND = model_named("adi-se")
assert isinstance(KIND, TrainedModel)


def test_a_step_is_measured_for_each_number_of_domains() -> None:
    report = bench_domains([1, 3, 7], masked_up_to=3, samples=64, rounds=2, calls=1).as_json()
    assert [row["domains"] for row in report["rows"]] == [1, 3, 7]
    for row in report["rows"]:
        assert 0 < row["step_least"] <= row["step_ms"] <= row["step_most"]
        assert row["one_network_ms"] > 0
        assert (row["masked_ms"] is None) == (row["domains"] == 7)
    assert set(report["found"]) == {"step_at_1_by_3", "step_at_7_by_3"}


def test_a_step_is_measured_for_each_size_of_the_tables() -> None:
    report = bench_tables([1000, 5000], samples=64, rounds=1, calls=1).as_json()
    assert [row["rows"] for row in report["rows"]] == [1000, 5000]
    assert report["found"]["step_at_5000_by_1000"] > 0


@pytest.mark.parametrize("domains", [1, 4])
def test_a_masked_model_gives_what_the_routed_one_gives(domains: int) -> None:
    data = Synthetic(domains=domains, users=50, items=40, samples=33)
    batch = data.batch(0)
    losses = []
    for kind in (KIND, masked(KIND)):
        model = data.step(kind).model.eval()
        losses.append(batch_loss(model, batch))
        losses[-1].backward()
    assert isinstance(model.user_tower.backbone, MaskedBackbone)
    torch.testing.assert_close(losses[0], losses[1])


def test_batches_are_of_the_number_they_are_asked_by() -> None:
    data = Synthetic(domains=3, users=500, items=400, samples=33)
    one, again, other = (data.batch(number) for number in (1, 1, 2))
    assert torch.equal(one.user["user_id"].values, again.user["user_id"].values)
    assert not torch.equal(one.user["user_id"].values, other.user["user_id"].values)


def test_each_sample_finds_its_positive_among_its_domains_candidates() -> None:
    data = Synthetic(domains=3, users=500, items=400, samples=33)
    batch = data.batch(0)
    assert batch.user_offsets[-1] == 33
    assert batch.item_offsets[-1] == len(batch.item["item_id"].values) <= 33
    for domain, own in batch.candidates.items():
        assert len(own.positive) == batch.user_offsets[domain + 1] - batch.user_offsets[domain]
        columns = batch.item_offsets[domain + 1] - batch.item_offsets[domain]
        assert sorted(set(own.positive.tolist())) == list(range(columns))
        assert (
            batch.item["domain"].values[batch.item_offsets[domain] : batch.item_offsets[domain + 1]] == domain
        ).all()
