"""A study with numbers written by hand, and trainings that are only pretended."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from adi.models.catalog import MODELS
from adi.models.model import Model
from adi.runs.metrics import Metrics
from adi.training.settings import as_config, settings_for
from adi.tuning.space import search_space
from adi.tuning.study import Study, Trial

Recalls = Mapping[str, float | None]
Curve = Callable[[dict[str, Any]], list[Recalls]]

SPACE = {
    "lr": {"low": 0.001, "high": 0.1, "log": True},
    "networks": {"choices": [[8], [16, 8]]},
    "uniform": {"low": 3, "high": 40},
}


@pytest.fixture
def study() -> Study:
    """A study of dnn without trials: domains of 100 and 50 validation rows, and one without any."""
    settings = settings_for(MODELS["dnn"], {"lr": 0.01, "networks": [8], "uniform": 10})
    return Study(
        model="dnn",
        fingerprint="f00d",
        objective="mean",
        k=10,
        seed=0,
        config=as_config(settings),
        space=search_space(MODELS["dnn"], settings, SPACE),
        queries={"search": 100, "feed": 50, "kiosk": 0},
    )


@pytest.fixture
def trial() -> Callable[..., Trial]:
    """trial(3, [.1, .2], state="pruned", lr=.02): the recall of all domains after each epoch, and settings."""

    def make(number: int, recalls: list[float], state: Any = "complete", **settings: Any) -> Trial:
        validations = tuple({"search": recall, "feed": recall, "kiosk": None} for recall in recalls)
        chosen = {"lr": 0.01, "networks": [8], "uniform": 10} | settings
        return Trial(number=number, state=state, settings=chosen, validations=validations, seconds=1.25)

    return make


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[[Curve], list[dict[str, Any]]]:
    """pretend(curve): trainings validate as `curve` says of their settings; returns the list of these, as they come.

    An exception in the curve's list is raised at its epoch. With `keep: mean` the best epoch is that of the mean.
    """

    def start(curve: Curve) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []

        def train(
            prepared: Path,
            model: Model,
            out: Path,
            *,
            settings: Any,
            seed: int,
            device: str,
            baselines: bool,
            verify: bool,
            progress: bool,
            observer: Any,
        ) -> None:
            assert not progress
            assert not baselines
            assert not settings["training"]["blend"]
            assert not out.exists()
            out.mkdir()
            flat = settings["model"] | settings["training"]
            seen.append(flat | {"seed": seed, "device": device})
            highest = -1.0
            for epoch, recalls in enumerate(curve(flat), 1):
                if isinstance(recalls, BaseException):
                    raise recalls
                observer.step(epoch=epoch, step=7, steps=7, loss=0.5, samples_per_second=9.0)
                mean = sum(value for value in recalls.values() if value is not None)
                measures = [f"{name}@{flat['k']}" for name in ("recall", "ndcg")]
                domains = {name: dict.fromkeys(measures, value) for name, value in recalls.items()}
                metrics = Metrics(
                    part="validation", against="corpus", history="earlier", ks=(flat["k"],), domains=domains, mean={}
                )
                observer.validated(epoch=epoch, metrics=metrics, best=mean > highest)
                highest = max(mean, highest)

        monkeypatch.setattr("adi.tuning.trial.train", train)
        return seen

    return start
