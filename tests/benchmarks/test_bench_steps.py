"""The benchmarks of a training step, small; and that masked networks do the same work as routed ones."""

import pytest
import torch

from adi.training.step import batch_loss
from benchmarks.towers import MaskedBackbone
from benchmarks.training.synthetic import Synthetic


def test_a_step_is_measured_for_each_number_of_domains(measure) -> None:
    report = measure("domains --numbers 1,3,7 --masked-up-to 3 --batch-size 64 --rounds 2 --calls 1")
    assert [row["domains"] for row in report["rows"]] == [1, 3, 7]
    for row in report["rows"]:
        assert 0 < row["step_least"] <= row["step_ms"] <= row["step_most"]
        assert row["one_network_ms"] > 0
        assert (row["masked_ms"] is None) == (row["domains"] == 7)
    assert set(report["found"]) == {"step_at_1_by_3", "step_at_7_by_3"}


def test_a_step_is_measured_for_each_size_of_the_tables(measure) -> None:
    report = measure("tables --rows 1000,5000 --batch-size 64 --rounds 1 --calls 1")
    assert [row["rows"] for row in report["rows"]] == [1000, 5000]
    assert report["found"]["step_at_5000_by_1000"] > 0


@pytest.mark.parametrize("domains", [1, 4])
def test_a_masked_model_gives_the_loss_of_the_routed_one(domains: int) -> None:
    data = Synthetic(domains=domains, users=50, items=40, samples=33)
    batch = data.batch(0)
    losses = []
    for masked in (False, True):
        step = data.step("adi-se", masked=masked)
        losses.append(batch_loss(step.model.eval(), batch, step.loss))
        losses[-1].backward()
    assert isinstance(step.model.user_tower.backbone, MaskedBackbone)
    torch.testing.assert_close(losses[0], losses[1])


def test_a_number_always_gives_the_same_batch() -> None:
    data = Synthetic(domains=3, users=500, items=400, samples=33)
    first, again, other = (data.batch(number) for number in (1, 1, 2))
    assert torch.equal(first.user["user_id"].values, again.user["user_id"].values)
    assert not torch.equal(first.user["user_id"].values, other.user["user_id"].values)


def test_each_samples_positive_is_among_its_domains_candidates() -> None:
    data = Synthetic(domains=3, users=500, items=400, samples=33)
    batch = data.batch(0)
    assert batch.user_offsets[-1] == 33
    assert batch.item_offsets[-1] == len(batch.item["item_id"].values) <= 33
    for domain, candidates in batch.candidates.items():
        assert len(candidates.positive) == batch.user_offsets[domain + 1] - batch.user_offsets[domain]
        columns = slice(batch.item_offsets[domain], batch.item_offsets[domain + 1])
        assert sorted(set(candidates.positive.tolist())) == list(range(columns.stop - columns.start))
        assert (batch.item["domain"].values[columns] == domain).all()
