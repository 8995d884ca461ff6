"""The search: which settings a study tries next, and whether a trial is so far behind that it may as well end.

Both are functions of the trials that are done, the space and the seed. An interrupted study therefore goes on as if it
had not been interrupted, and the state of Optuna, which does the work, is kept nowhere.
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

ENOUGH = 4
"""Complete trials that a median is taken of, at the least."""

FIRST_EPOCH = 2
"""The first after which a trial may be ended: after one, slow learners would all be behind."""


def next_settings(study: Study) -> dict[str, Any]:
    """The settings to try next, by a tree-structured Parzen estimator; the first ten or so are drawn at random."""
    number = len(study.trials)
    (seed,) = np.random.SeedSequence((study.seed, number)).generate_state(1)
    history = _study(sampler=optuna.samplers.TPESampler(seed=int(seed)))
    for trial in study.trials:
        if all(dimension.holds(trial.settings[name]) for name, dimension in study.space.items()):
            history.add_trial(_told(study, trial))  # the base settings may lie outside of the space
    drawn = history.ask({name: _distribution(dimension) for name, dimension in study.space.items()}).params
    return {name: _value(dimension, drawn[name]) for name, dimension in study.space.items()}


def is_behind(study: Study, values: list[float]) -> bool:
    """Whether the best of a trial's objectives, one for each epoch, is below the median of others' at that epoch."""
    history = _study(
        pruner=optuna.pruners.MedianPruner(n_startup_trials=ENOUGH, n_warmup_steps=FIRST_EPOCH, n_min_trials=ENOUGH)
    )
    for trial in study.trials:
        if trial.state == "complete":
            others = study.objectives(trial.validations)
            history.add_trial(create_trial(value=others[-1], intermediate_values=dict(enumerate(others, 1))))
    under_way = history.ask()
    for epoch, value in enumerate(values, 1):
        under_way.report(value, epoch)
    return bool(under_way.should_prune())


def _study(
    sampler: optuna.samplers.BaseSampler | None = None, pruner: optuna.pruners.BasePruner | None = None
) -> optuna.Study:
    """An empty study in memory. Optuna would announce each."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    finally:
        optuna.logging.set_verbosity(level)


def _told(study: Study, trial: Trial) -> FrozenTrial:
    """A trial in Optuna's terms. One that failed is told as pruned, so that the search keeps away from it."""
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
    """What was drawn as a setting; numbers with four digits, since more mean nothing."""
    if isinstance(dimension, Choices):
        return dimension.choices[drawn]
    if isinstance(drawn, int):
        return drawn
    return min(max(float(f"{drawn:.4g}"), dimension.low), dimension.high)


def _distribution(dimension: Range | Choices) -> BaseDistribution:
    if isinstance(dimension, Choices):
        return CategoricalDistribution(range(len(dimension.choices)))  # by number: lists are no categories to Optuna
    if isinstance(dimension.low, int) and isinstance(dimension.high, int):
        return IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
