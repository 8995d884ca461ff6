"""Search and pruning with Optuna: the settings of the next trial, and whether a running trial should stop early.

Both depend only on the finished trials, the space and the seed. An interrupted study therefore continues exactly as if
it had not been interrupted, and no state of Optuna is saved.
"""

from typing import Any

import numpy as np

from adi.errors import AdiError
from adi.tuning.space import Choices, Range
from adi.tuning.study import Study, Trial

try:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import FrozenTrial, TrialState, create_trial
except ModuleNotFoundError as error:
    if error.name != "optuna":
        raise
    raise AdiError("adi tune needs Optuna, which is not installed: pip install 'adi-retrieval[tune]'") from None

MIN_TRIALS = 4
"""The minimum number of complete trials for a median."""

FIRST_EPOCH = 2
"""The first epoch after which a trial may be pruned: after one epoch, every slow learner would be behind."""


def next_settings(study: Study) -> dict[str, Any]:
    """Propose the settings of the next trial with a tree-structured Parzen estimator; the first ten are random."""
    number = len(study.trials)
    (seed,) = np.random.SeedSequence((study.seed, number)).generate_state(1)
    history = _study(sampler=optuna.samplers.TPESampler(seed=int(seed)))
    for trial in study.trials:
        # The base settings may lie outside the space.
        if all(dimension.holds(trial.settings[name]) for name, dimension in study.space.items()):
            history.add_trial(_frozen_trial(study, trial))
    drawn = history.ask({name: _distribution(dimension) for name, dimension in study.space.items()}).params
    return {name: _value(dimension, drawn[name]) for name, dimension in study.space.items()}


def is_behind(study: Study, values: list[float]) -> bool:
    """Whether a running trial should be pruned, given its objective after each epoch.

    It should if its best value is below the median of the complete trials at the same epoch.
    """
    pruner = optuna.pruners.MedianPruner(
        n_startup_trials=MIN_TRIALS, n_warmup_steps=FIRST_EPOCH, n_min_trials=MIN_TRIALS
    )
    history = _study(pruner=pruner)
    for trial in study.trials:
        if trial.state == "complete":
            objectives = study.objectives(trial.validations)
            history.add_trial(create_trial(value=objectives[-1], intermediate_values=dict(enumerate(objectives, 1))))
    running = history.ask()
    for epoch, value in enumerate(values, 1):
        running.report(value, epoch)
    return bool(running.should_prune())


def _study(
    sampler: optuna.samplers.BaseSampler | None = None, pruner: optuna.pruners.BasePruner | None = None
) -> optuna.Study:
    """Create an empty study in memory, without the log message that Optuna writes for each."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    finally:
        optuna.logging.set_verbosity(level)


def _frozen_trial(study: Study, trial: Trial) -> FrozenTrial:
    """Convert a trial to Optuna's form. A failed one becomes a pruned one, so that the search avoids its settings."""
    values = study.objectives(trial.validations)
    return create_trial(
        state=TrialState.COMPLETE if trial.state == "complete" else TrialState.PRUNED,
        value=values[-1] if values else None,
        params={
            name: dimension.choices.index(trial.settings[name])
            if isinstance(dimension, Choices)
            else trial.settings[name]
            for name, dimension in study.space.items()
        },
        distributions={name: _distribution(dimension) for name, dimension in study.space.items()},
        intermediate_values=dict(enumerate(values, 1)),
    )


def _value(dimension: Range | Choices, drawn: Any) -> Any:
    """Convert a drawn value to a setting, with numbers rounded to four significant digits."""
    if isinstance(dimension, Choices):
        return dimension.choices[drawn]
    if isinstance(drawn, int):
        return drawn
    return min(max(float(f"{drawn:.4g}"), dimension.low), dimension.high)


def _distribution(dimension: Range | Choices) -> BaseDistribution:
    if isinstance(dimension, Choices):
        return CategoricalDistribution(range(len(dimension.choices)))  # by index: Optuna accepts no lists as categories
    if isinstance(dimension.low, int) and isinstance(dimension.high, int):
        return IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
