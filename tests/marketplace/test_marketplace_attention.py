from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adi.errors import ArgumentError
from adi.marketplace import attention as attention_module
from adi.marketplace.attention import STEP, Attention, draw_attention, load_attention, save_attention
from adi.marketplace.clock import DAY, FIRST_DAY, HOUR, HOURLY_RATES, time_of_day
from adi.marketplace.settings import Marketplace
from adi.marketplace.truth import draw_truth, save_truth

SETTINGS = Marketplace(users=60, items=300, interactions=600, days=2, trends=0.4, seed=3)


def by_hand() -> Attention:
    """A lasting item, and one that arrives in step 10; of two domains the second has a burst of the first item.

    Half-lives are 2 hours, which is 12 steps, and a rise of 3 steps; in the other domain 1/6 hour, a step.
    """
    return Attention(
        num_steps=100,
        step_length=STEP,
        is_new=np.array([False, True]),
        start=np.array([[0, 40], [10, 10]]),
        peak=np.array([[0.0, 6.0], [8.0, 0.5]]),
        half_life=np.array([[1.0, 2.0], [2.0, 1 / 6]]),
    )


def test_attention_rises_and_halves_with_each_half_life() -> None:
    attention = by_hand()

    def of(item: int, domain: int, *steps: int) -> list[float]:
        return attention.of(np.array(item), np.array(domain), np.array(steps)).tolist()  # type: ignore[no-any-return]

    assert of(0, 0, 0, 50, 99) == [1.0, 1.0, 1.0]
    # thirds of the peak 8, and a half of it 12 steps after it
    assert of(1, 0, 0, 9, 10, 11, 12, 24, 36) == pytest.approx([0, 0, 8 / 3, 16 / 3, 8, 4, 2])
    assert of(1, 1, 9, 10, 11, 13) == pytest.approx([0, 0.5, 0.25, 0.0625])
    assert of(0, 1, 39, 42, 54) == pytest.approx([1, 1 + 6, 1 + 3])


def test_attention_at_times() -> None:
    times = FIRST_DAY + np.array([10 * STEP - 1, 10 * STEP, 24 * STEP])
    assert by_hand().at(0, times) == pytest.approx(np.array([[1, 0], [1, 8 / 3], [1, 4]]))
    assert by_hand().at(1, times) == pytest.approx(np.array([[1, 0], [1, 0.5], [1, 0.5 * 2.0**-14]]))


@pytest.mark.parametrize("first", [0, 9, 11, 12, 30, 41])
def test_the_ceiling_is_the_greatest_attention_of_the_steps(first: int) -> None:
    item, domain = np.arange(2)[:, None], np.arange(2)
    for last in range(first, 60):
        steps = [by_hand().of(item, domain, np.array(step)) for step in range(first, last + 1)]
        ceiling = by_hand().ceiling(item, domain, np.array(first), np.array(last))
        np.testing.assert_array_equal(ceiling, np.max(steps, axis=0))


def test_what_changes_has_its_share_of_attention() -> None:
    truth = draw_truth(SETTINGS)
    attention = draw_attention(truth)
    weight = np.where(truth.eligible, np.exp(truth.item_effects()), 0.0)
    cells = np.arange(300)[:, None], np.arange(3)
    mean = np.mean([weight * attention.of(*cells, np.array(step)) for step in range(attention.num_steps)], axis=0)
    lasting = (weight * ~attention.is_new[:, None]).sum(axis=0)
    # the mean is over steps here, and over hours where peaks are drawn
    assert 1 - lasting / mean.sum(axis=0) == pytest.approx([0.4] * 3, abs=0.02)


def test_new_items_and_bursts() -> None:
    truth = draw_truth(SETTINGS)
    attention = draw_attention(truth)
    assert attention.num_steps == 2 * 24 * 6
    assert attention.is_new.mean() == pytest.approx(0.5, abs=0.1)
    changes = attention.peak > 0
    assert (changes[attention.is_new] == truth.eligible[attention.is_new]).all()
    assert not (changes & ~truth.eligible).any()
    bursts = changes[~attention.is_new]
    assert bursts.sum(axis=0).tolist() == [6, 6, 6]  # three a day in each domain
    assert (bursts.sum(axis=1) == 1).any()
    start = attention.start[attention.is_new]
    assert (start == start[:, :1]).all()  # an item arrives once
    assert len(np.unique(start)) > 50
    assert start.min() >= 0
    assert start.max() < attention.num_steps


def test_half_lives_differ_by_domain_and_item() -> None:
    half_life = draw_attention(draw_truth(SETTINGS)).half_life
    assert np.median(half_life, axis=0) == pytest.approx([8, 2, 24], rel=0.15)  # search, feed, cart
    assert np.std(np.log(half_life), axis=0) == pytest.approx([0.5] * 3, abs=0.1)
    assert Marketplace(domains=2).half_lives == pytest.approx([2, 24])


def test_attention_is_read_back_as_drawn(tmp_path: Path) -> None:
    truth = draw_truth(SETTINGS)
    drawn = draw_attention(truth)
    save_truth(truth, tmp_path)
    save_attention(drawn, truth, tmp_path)
    read = load_attention(tmp_path, truth)
    times = FIRST_DAY + np.arange(0, 2 * DAY, HOUR // 3)
    for domain in range(3):
        np.testing.assert_array_equal(read.at(domain, times), drawn.at(domain, times))


def test_without_trends_attention_is_one(tmp_path: Path) -> None:
    truth = draw_truth(replace(SETTINGS, trends=0.0))
    attention = draw_attention(truth)
    save_attention(attention, truth, tmp_path)
    assert not list(tmp_path.iterdir())
    for constant in (attention, load_attention(tmp_path, truth)):
        assert not constant.changes
        assert (constant.at(2, FIRST_DAY + np.array([0, 2 * DAY - 1])) == 1.0).all()


def test_a_domain_of_new_items_only_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_module, "NEW_SHARE", 1.0)
    with pytest.raises(ArgumentError, match=r"^trends: domain 'search' would have new items only"):
        draw_attention(draw_truth(SETTINGS))


def test_the_clock_runs_by_the_rates_of_the_hours() -> None:
    times = time_of_day((np.arange(230_000) + 0.5) / 230_000)
    # The rates sum to 23, so that an hour of rate 1 has 10,000 of 230,000.
    assert np.bincount(times // HOUR, minlength=24) == pytest.approx(10_000 * HOURLY_RATES, abs=1)
    assert HOURLY_RATES[2:6].max() < 0.15 * HOURLY_RATES[20:22].min()
