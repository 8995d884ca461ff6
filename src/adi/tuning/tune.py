"""`adi.tune`: a search for the settings of a model on the validation rows, trial after trial."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from adi.data.dataset import Dataset
from adi.data.folder import locked
from adi.errors import AdiError, ArgumentError
from adi.models.catalog import model_of
from adi.models.model import Model
from adi.models.source import source_of
from adi.training.device import device_named
from adi.training.row_weights import half_lives
from adi.training.settings import TrainingSettings, as_config, settings_for
from adi.tuning.objective import Objective
from adi.tuning.progress import trial_lines
from adi.tuning.space import changed, search_space
from adi.tuning.study import Study, open_study, write_study
from adi.tuning.trial import Observer, run_trial

RUN = ".trial"
"""The folder of the training under way, within that of the study; gone when the trial is done."""


def tune(
    prepared: str | Path,
    model: str | Model,
    out: str | Path,
    *,
    trials: int = 20,
    objective: Objective = "mean",
    space: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    k: int | None = None,
    seed: int = 0,
    timeout: float | None = None,
    device: str = "cpu",
    verify: bool = True,
    progress: bool = True,
    observer: Observer | None = None,
) -> Study:
    """Search for the settings of a model that do best on the validation rows; the test is never looked at.

    Args:
        prepared: the folder that `adi prepare` wrote.
        model: a name of `adi.models.catalog.MODELS`, a path ``package.module:NAME``, or a model.
        out: the study's folder, new or empty; or that of a study of the same data, settings and space, which goes on.
        trials: their number in all, including trials already done and trial 0, which has the base settings.
        objective: the quantity to maximise, see `adi.tuning.objective`.
        space: the settings to search, see `adi.tuning.space`; None: the model's default.
        settings: the base settings, see `settings_for`; settings outside the space keep their values.
        k: list length of the recall, in place of ``training.k``.
        seed: of the search and of every training.
        timeout: seconds after which no further trial begins; the first one does.
        device: where trials are trained, as in `adi.training.train.train`. It may change from call to call.
        verify: compare every file of `prepared` with its digest first.
        progress: show a bar on standard error, in a terminal or a notebook.
        observer: is called with the steps and trials, in place of that.

    Raises `AdiError` for wrong settings and spaces before any trial, and for base settings that cannot be trained.
    """
    device_named(device)
    kind, prepared, out = model_of(model), Path(prepared), Path(out)
    asked = _asked(prepared, kind, objective, space, settings, k, seed, verify)
    if trials < 1:
        raise ArgumentError("trials", f"{trials}; give at least 1, the trial of the base settings.")
    open_study(out, asked)  # fails before a folder is made
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    with locked(out), trial_lines(progress and observer is None, trials) as shown:
        study = open_study(out, asked)
        write_study(out, study)
        watching = observer or shown
        while len(study.trials) < trials and (not study.trials or time.monotonic() < deadline):
            trial = run_trial(study, kind, prepared, out / RUN, watching, device=device)
            study = study.model_copy(update={"trials": (*study.trials, trial)})
            write_study(out, study)
            if watching is not None:
                watching.finished(study)
    return study


def _asked(
    prepared: Path,
    model: Model,
    objective: Objective,
    space: Mapping[str, Any] | None,
    settings: Mapping[str, Any] | None,
    k: int | None,
    seed: int,
    verify: bool,
) -> Study:
    """The study before its first trial; raises `AdiError` for arguments that are wrong."""
    if objective not in get_args(Objective):
        raise ArgumentError("objective", f"'{objective}' is not one of {', '.join(get_args(Objective))}.")
    if not 0 <= seed < 1 << 63:
        raise ArgumentError("seed", f"{seed}; give a whole number from 0 to {(1 << 63) - 1}.")
    if k is not None and k < 1:
        raise ArgumentError("k", f"{k}; give a list length of at least 1.")
    chosen = settings_for(model, settings)
    if chosen.training is not None and k is not None:
        chosen = settings_for(model, changed(as_config(chosen), {"k": k}))
    dataset = Dataset(prepared)
    if verify:
        dataset.verify()
    chosen = chosen.for_data(dataset.manifest)
    rules = chosen.training or TrainingSettings()
    counts = dataset.manifest.by_domain
    queries = {name: min(counts[name].validation, rules.validation_rows) for name in dataset.domains}
    if not any(queries.values()):
        raise AdiError(
            f"{prepared}: no validation rows to compare settings by. "
            "Raise split.validation in the schema and prepare again."
        )
    return Study(
        model=model.name,
        source=source_of(model),
        fingerprint=dataset.manifest.fingerprint,
        objective=objective,
        k=rules.k if k is None else k,
        seed=seed,
        config=as_config(chosen),
        space=search_space(model, chosen, space, half_lives(dataset)),
        queries=queries,
    )
