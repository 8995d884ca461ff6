"""What is tried next and when a trial ends early: functions of what is done, which Optuna works out."""

import importlib
import sys
from math import log
from statistics import median

import optuna
import pytest

from adi.errors import AdiError
from adi.tuning.search import is_behind, next_settings
from adi.tuning.study import Study


def with_trials(study: Study, *trials) -> Study:
    return study.model_copy(update={"trials": trials})


def grown(study: Study, trial, trials: int) -> Study:
    """A study whose recall is highest at lr 0.02."""
    for number in range(len(study.trials), trials):
        settings = next_settings(study) if number else {}
        recall = 0.5 - 10 * abs(settings.get("lr", 0.01) - 0.02) / 2
        study = with_trials(study, *study.trials, trial(number, [recall], **settings))
    return study


def test_what_is_tried_lies_in_the_space(study: Study, trial) -> None:
    tried = [one.settings for one in grown(study, trial, 30).trials]
    assert all(study.space[name].holds(value) for settings in tried for name, value in settings.items())
    assert all(isinstance(settings["uniform"], int) for settings in tried)
    assert {tuple(settings["networks"]) for settings in tried} == {(8,), (16, 8)}
    assert all(float(f"{settings['lr']:.4g}") == settings["lr"] for settings in tried)


def test_the_same_trials_and_seed_lead_to_the_same_next(study: Study, trial) -> None:
    twelve = grown(study, trial, 12)
    assert next_settings(twelve) == next_settings(twelve)
    assert next_settings(twelve) != next_settings(twelve.model_copy(update={"seed": 1}))
    assert next_settings(twelve) != next_settings(with_trials(study, *twelve.trials[:11]))
    stopped = with_trials(study, *twelve.trials[:7])
    assert grown(stopped, trial, 12) == twelve


def test_the_search_moves_to_what_does_well(study: Study, trial) -> None:
    distances = [abs(log(one.settings["lr"] / 0.02)) for one in grown(study, trial, 40).trials]
    assert median(distances[20:]) < median(distances[:10]) / 2


def test_it_keeps_away_from_what_fails(study: Study, trial) -> None:
    """All that has networks [16, 8] does well for an epoch and then fails; nothing else matters."""
    for number in range(40):
        settings = next_settings(study) if number else {}
        fails = settings.get("networks") == [16, 8]
        outcome = ([0.9], "failed") if fails else ([0.3, 0.3], "complete")
        study = with_trials(study, *study.trials, trial(number, *outcome, **settings))
    states = [one.state for one in study.trials]
    assert states[:10].count("failed") > 2
    assert states[20:].count("failed") <= 3


def test_base_settings_outside_of_the_space_are_no_obstacle(study: Study, trial) -> None:
    base = trial(0, [0.4], lr=5.0, networks=[9, 9])
    others = grown(study, trial, 12).trials[1:]
    assert study.space["lr"].holds(next_settings(with_trials(study, base, *others))["lr"])


FOUR = ([0.1, 0.1, 0.1], [0.3, 0.3], [0.1, 0.5], [0.2, 0.2])
"""Objectives after each epoch; the medians after two are 0.25 (0.1, 0.2, 0.3, 0.5)."""


@pytest.mark.parametrize(
    ("values", "behind"),
    [
        ([0.0], False),  # too early
        ([0.0, 0.24], True),
        ([0.0, 0.25], False),
        ([0.26, 0.26], False),
        ([0.05, 0.05, 0.05], False),  # one other trial came this far
    ],
)
def test_a_trial_is_behind_below_the_median(study: Study, trial, values: list[float], behind: bool) -> None:
    done = with_trials(study, *(trial(number, recalls) for number, recalls in enumerate(FOUR)))
    assert is_behind(done, values) is behind


def test_three_complete_trials_are_no_median(study: Study, trial) -> None:
    three = [trial(number, recalls) for number, recalls in enumerate(FOUR[1:])]
    pruned = [trial(number, [0.4, 0.4], state) for number, state in ((3, "pruned"), (4, "failed"))]
    assert not is_behind(with_trials(study, *three, *pruned), [0.0, 0.0])
    assert is_behind(with_trials(study, *three, trial(3, FOUR[0])), [0.0, 0.0])


def test_worst_compares_what_it_maximises(study: Study, trial) -> None:
    """Relative to trial 0, whose recall at its end is 0.1, the median of the four is 2.5."""
    done = with_trials(study, *(trial(number, recalls) for number, recalls in enumerate(FOUR)))
    worst = done.model_copy(update={"objective": "worst"})
    assert is_behind(worst, [2.4, 2.4])
    assert not is_behind(worst, [2.6, 2.6])


def test_optuna_says_nothing_and_keeps_its_verbosity(study: Study, trial, caplog) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.logging.enable_propagation()
    done = grown(study, trial, 12)
    is_behind(done, [0.0, 0.0])
    optuna.logging.disable_propagation()
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    assert caplog.messages == []


def test_without_optuna_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "adi.tuning.search")
    with pytest.raises(AdiError, match=r"needs Optuna, which is not installed: pip install 'adi-retrieval\[tune\]'"):
        importlib.import_module("adi.tuning.search")
