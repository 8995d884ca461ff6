"""Weights that halve with age, the rows drawn by them, and half-lives that do not fit the log."""

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.models.catalog import MODELS
from adi.training.loader import Loader, negative_sampler
from adi.training.row_weights import _rows_of_epoch, drawn_by_weight, half_lives, row_weights, weighted_counts
from adi.training.settings import settings_for
from adi.training.train import train
from adi.tuning.space import search_space


@pytest.fixture
def timed(workspace):
    """The twelve rows with the newest third (from 20 on) as validation, and a test of one row."""
    workspace.schema["split"] = {"kind": "time", "at": 40, "validation": 0.3}
    workspace.prepare()
    return Dataset(workspace.out)


def test_weights_halve_with_age(timed):
    rows = timed.rows("train")
    weights, times = row_weights(timed, 5), timed.times("train")[rows]
    assert sorted(times) == [5, 7, 7, 10, 10, 10, 15]
    expected = np.array([2.0 ** ((time - 15) / 5) for time in times])
    np.testing.assert_allclose(weights[rows], expected * 7 / expected.sum())
    assert weights[timed.rows("validation")].tolist() == [0] * 4


def test_a_refit_weighs_validation_rows_too(timed):
    refit = Dataset(timed.folder, all_rows=True)
    weights = row_weights(refit, 10)
    assert weights.sum() == pytest.approx(11)
    newest = refit.times("train").argmax()
    assert weights[newest] == weights.max()
    assert weights[newest] / weights[refit.times("train") == 20] == pytest.approx([2, 2, 2])


def test_a_long_half_life_changes_no_weight(timed):
    np.testing.assert_allclose(row_weights(timed, 1e12)[timed.rows("train")], 1)


@pytest.mark.parametrize(("half_life", "rows"), [(100, 7), (5, 7), (2, 4), (1, 2), (0.01, 1)])
def test_an_epoch_has_as_many_rows_as_evenly_spread_rows_are_worth(timed, half_life, rows):
    """Seven rows from 5 to 15; of evenly spread ones, a share of 2 half_life / ln(2) / 10 counts."""
    weights = row_weights(timed, half_life)
    assert weights.sum() == pytest.approx(rows)
    sampler = negative_sampler(timed, in_batch=True, uniform=2, weights=weights)
    loader = Loader(timed, batch_size=3, sampler=sampler, weights=weights)
    assert sum(len(batch) for batch, _ in loader.draws(0)) == loader.num_samples == rows
    assert len(loader) == -(-rows // 3)


def test_every_random_choice_of_an_epoch_has_numbers_of_its_own(timed, monkeypatch):
    """Zeros at the end of a seed change nothing: [0, 0, 0] and [0, 0, 0, 0] give the same numbers."""
    weights = row_weights(timed, 1e12)
    loader = Loader(timed, batch_size=2, sampler=negative_sampler(timed, in_batch=True, uniform=2), weights=weights)
    first_numbers, default_rng = [], np.random.default_rng

    def noted(seed):
        first_numbers.append(default_rng(seed).random())
        return default_rng(seed)

    monkeypatch.setattr(np.random, "default_rng", noted)
    list(loader.draws(0))
    assert len(first_numbers) == 2 + len(loader)
    assert len(set(first_numbers)) == len(first_numbers)


@given(
    half_life=st.floats(0.01, 0.2),
    times=st.lists(st.floats(0, 1), min_size=5, max_size=200).filter(lambda times: max(times) - min(times) > 0.9),
)
def test_many_even_rows_are_worth_what_their_weights_say(half_life, times):
    """The formula against (sum w)^2 / sum w^2 of evenly spread rows; the rows of an epoch depend on nothing else."""
    even = np.linspace(0, 1, 100_001)
    decayed = np.exp2((even - 1) / half_life)
    worth = decayed.sum() ** 2 / np.square(decayed).sum()
    assert _rows_of_epoch(even, half_life) == pytest.approx(worth, rel=0.1)
    same_span = np.linspace(min(times), max(times), len(times))
    assert _rows_of_epoch(np.array(times), half_life) == _rows_of_epoch(same_span, half_life)


@given(
    weights=st.lists(st.floats(0, 9), min_size=1, max_size=30).filter(lambda weights: sum(weights) > 0.1),
    seed=st.integers(0, 5),
    size=st.integers(1, 8),
)
def test_a_row_comes_as_often_as_its_weight_says(weights, seed, size):
    scaled = np.array(weights) * len(weights) / sum(weights)
    blocks = np.split(np.arange(len(weights)), range(size, len(weights), size))
    drawn = np.concatenate(list(drawn_by_weight(iter(blocks), scaled, np.random.default_rng(seed))))
    copies = np.bincount(drawn, minlength=len(weights))
    assert (np.abs(copies - scaled) < 1 + 1e-9).all()
    assert abs(len(drawn) - len(weights)) <= 1  # rounding may move the last
    assert copies[np.array(weights) == 0].sum() == 0


def test_the_mean_over_epochs_is_the_weight(timed):
    weights = row_weights(timed, 5)
    sampler = negative_sampler(timed, in_batch=True, uniform=2, weights=weights)
    loader = Loader(timed, batch_size=3, sampler=sampler, weights=weights)
    epochs = [np.concatenate([rows for rows, _ in loader.draws(epoch)]) for epoch in range(2000)]
    assert {len(rows) for rows in epochs} == {loader.num_samples} == {7}
    mean = np.bincount(np.concatenate(epochs), minlength=timed.num_rows) / len(epochs)
    np.testing.assert_allclose(mean, weights, atol=0.05)


def test_an_epoch_goes_on_where_it_stopped(timed):
    weights = row_weights(timed, 5)
    loader = Loader(
        timed, batch_size=2, sampler=negative_sampler(timed, in_batch=True, uniform=2, weights=weights), weights=weights
    )
    whole, rest = ([rows.tolist() for rows, _ in loader.draws(3, start=start)] for start in (0, 2))
    assert len(whole) == len(loader) == 4
    assert rest == whole[2:]


def test_negatives_are_corrected_for_the_rows_that_are_drawn(timed):
    weights = row_weights(timed, 5)
    counts = weighted_counts(timed, weights)
    rows = timed.rows("train")
    _, items, domains = timed.targets("train", rows)
    for domain, corpus in enumerate(timed.corpora.items):
        for item, count in zip(corpus, counts[domain], strict=True):
            expected = weights[rows][(domains == domain) & (items == item)].sum()
            assert count == pytest.approx(1000 * expected, abs=1)
            assert count >= 1000 * expected - 1e-6


def test_a_log_without_time_is_refused_before_anything_is_written(workspace, tmp_path):
    del workspace.schema["interactions"]["time"]
    workspace.schema["split"] = {"kind": "last", "validation": 0.5}
    workspace.write("log.jsonl", [{"user": f"u{n}", "item": i, "domain": "a"} for n in range(9) for i in "xyz"])
    workspace.prepare()
    assert half_lives(Dataset(workspace.out)) == []
    with pytest.raises(AdiError, match=r"training\.row_half_life: 12h needs a log with time\. Name its column"):
        train(workspace.out, "dnn", tmp_path / "run", settings={"row_half_life": "12h"})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("half_life", "message"),
    [
        ("12h", r"training\.row_half_life: '12h' does not fit this log, whose time is a number without a unit"),
        ("soon", r"training\.row_half_life: 'soon' is not a duration: give a number and one of the units"),
        (0, r"training\.row_half_life: a duration is above 0"),
    ],
)
def test_a_half_life_that_does_not_fit(timed, tmp_path, half_life, message):
    with pytest.raises(AdiError, match=message):
        train(timed.folder, "dnn", tmp_path / "run", settings={"row_half_life": half_life})
    assert not (tmp_path / "run").exists()


def test_off_without_quotes_which_yaml_reads_as_false():
    settings = settings_for(MODELS["dnn"], yaml.safe_load("row_half_life: off"))
    assert settings.training.row_half_life == "off"


def test_tuning_tries_fractions_of_the_span_of_the_log(timed):
    choices = half_lives(timed)
    assert choices == [2.5, 0.62, 0.16, 0.039]  # of 10, from 5 to 15
    model = MODELS["dnn"]
    space = search_space(model, settings_for(model), None, choices)
    assert space["row_half_life"].choices == ("off", 2.5, 0.62, 0.16, 0.039)
    assert "row_half_life" not in search_space(model, settings_for(model))
    fitted = MODELS["item-knn"]
    assert "row_half_life" not in search_space(fitted, settings_for(fitted), None, choices)


def test_timestamps_have_half_lives_as_text(workspace, log):
    rows = [{**row, "time": f"2017-10-0{1 + row['time'] // 10} 12:00:00"} for row in log]
    workspace.write("log.jsonl", rows)
    workspace.schema["split"] = {"kind": "time", "at": "2017-10-05", "validation": 0.2}
    workspace.prepare()
    assert half_lives(Dataset(workspace.out)) == ["6h", "1.5h", "22.5m", "5.6m"]  # of 24 hours
