"""Tunings: what they keep and go on with, which trials end early, and that what they found can be trained."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.evaluation.evaluate import evaluate
from adi.models.item_knn import ItemKnn, ItemKnnSettings
from adi.preparation.prepare import prepare
from adi.runs.epochs import read_epochs
from adi.runs.metrics import Metrics
from adi.training.train import train
from adi.tuning.study import Study
from adi.tuning.trial import Validations
from adi.tuning.tune import tune

TINY = {
    "embedding_sets": 1,
    "embedding_dim": 4,
    "dim": 4,
    "networks": [4],
    "epochs": 2,
    "batch_size": 16,
    "k": 2,
    "uniform": 3,
    "patience": 2,
    "lr": 0.001,
}
SPACE = {"lr": {"low": 1e-3, "high": 0.1, "log": True}, "networks": {"choices": [[4], [8, 4]]}}


def same(one: Study, other: Study) -> bool:
    """Equal but for the time it took."""

    def timeless(study: Study) -> dict[str, Any]:
        return study.model_dump(exclude={"trials": {"__all__": {"seconds"}}})

    return timeless(one) == timeless(other)


def level(settings: dict[str, Any]) -> list[dict[str, float | None]]:
    """A training whose recall grows by epochs and is highest at lr 0.02."""
    height = 0.5 - 5 * abs(settings["lr"] - 0.02)
    return [{"search": height + 0.01 * epoch, "feed": height / 2, "kiosk": None} for epoch in (1, 2, 3)]


def test_the_first_trial_has_the_base_settings_and_the_best_can_be_trained(
    prepared: Path, dataset: Dataset, tmp_path: Path
) -> None:
    base = TINY | {"embedding_lr": 0.01, "refit": False}
    space = {"embedding_lr": {"low": 0.05, "high": 1.0}, "networks": {"choices": [[4], [8, 4]]}}
    study = tune(prepared, "dnn", tmp_path / "study", trials=3, settings=base, space=space, seed=3)
    first, best = study.trials[0], study.ranked()[0]
    assert first.settings == {"embedding_lr": 0.01, "networks": [4]}
    assert (study.k, study.fingerprint) == (2, dataset.manifest.fingerprint)
    assert study.queries == {"search": 5, "feed": 1, "kiosk": 0}
    assert [trial.state for trial in study.trials] == ["complete"] * 3
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == [
        *(".lock", "best.yaml", "study.json", "trials.csv"),
    ]

    settings = yaml.safe_load((tmp_path / "study" / "best.yaml").read_text())
    for trial, chosen in ((first, base), (best, settings)):
        run = tmp_path / f"run-{chosen is base}"
        train(prepared, "dnn", run, settings=chosen, seed=3)
        assert study.value(trial) == max(epoch.validation.mean["recall@2"] for epoch in read_epochs(run))


def test_a_counted_model_is_fitted_and_validated(prepared: Path, dataset: Dataset, tmp_path: Path) -> None:
    study = tune(prepared, "item-knn", tmp_path, trials=3, k=3, settings={"shrink": 2.0})
    found = evaluate(ItemKnn(dataset, ItemKnnSettings(shrink=2.0)), dataset, part="validation", ks=(3,))
    assert study.value(study.trials[0]) == pytest.approx(found.mean["recall@3"])
    (recalls,) = study.trials[0].validations
    assert recalls == {name: values["recall@3"] for name, values in found.domains.items()}
    assert (tmp_path / "trials.csv").read_text().splitlines()[1].split(",")[6] == ""  # no epochs


def test_only_validation_rows_are_looked_at(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    queries = Dataset.queries

    def noted(self: Dataset, part: Any, *arguments: Any, **options: Any) -> Any:
        parts.append(part)
        return queries(self, part, *arguments, **options)

    monkeypatch.setattr(Dataset, "queries", noted)
    tune(prepared, "dnn", tmp_path / "dnn", trials=2, settings=TINY, space=SPACE)
    tune(prepared, "item-knn", tmp_path / "knn", trials=2)
    assert set(parts) <= {"train", "validation"}
    assert "validation" in parts


def test_an_interrupted_tuning_ends_as_if_it_had_not_been(prepared: Path, tmp_path: Path, pretend) -> None:
    options: dict[str, Any] = {"settings": TINY, "space": SPACE, "seed": 5}
    pretend(level)
    whole = tune(prepared, "dnn", tmp_path / "whole", trials=15, **options)

    pretend(lambda settings: [level(settings)[0], KeyboardInterrupt()] if settings["lr"] != 0.001 else level(settings))
    with pytest.raises(KeyboardInterrupt):
        tune(prepared, "dnn", tmp_path / "cut", trials=15, **options)
    assert not (tmp_path / "cut" / ".trial").exists()
    (tmp_path / "cut" / ".trial").mkdir()  # what a kill leaves
    (tmp_path / "cut" / ".trial" / "run.json").write_text("{}")

    seen = pretend(level)
    twelve = tune(prepared, "dnn", tmp_path / "cut", trials=12, **options)
    assert len(seen) == 11  # the first was done
    assert same(twelve, whole.model_copy(update={"trials": whole.trials[:12]}))
    assert same(tune(prepared, "dnn", tmp_path / "cut", trials=15, **options), whole)
    assert len({trial.settings["lr"] for trial in whole.trials}) == 15
    assert tune(prepared, "dnn", tmp_path / "cut", trials=2, **options) == tune(
        prepared, "dnn", tmp_path / "cut", trials=15, **options
    )


def test_files_that_a_kill_left_behind_are_written_again(prepared: Path, tmp_path: Path, pretend) -> None:
    pretend(level)
    tune(prepared, "dnn", tmp_path, trials=3, settings=TINY, space=SPACE)
    written = {name: (tmp_path / name).read_text() for name in ("best.yaml", "trials.csv")}
    for name in written:
        (tmp_path / name).unlink()
    tune(prepared, "dnn", tmp_path, trials=3, settings=TINY, space=SPACE)
    assert {name: (tmp_path / name).read_text() for name in written} == written


def test_a_trial_that_is_behind_ends(prepared: Path, tmp_path: Path, pretend) -> None:
    heights = iter([0.5, 0.4, 0.3, 0.6, 0.2, 0.7, 0.44, 0.46])

    def curve(_: dict[str, Any]) -> list[dict[str, float | None]]:
        height = next(heights)
        return [{"search": height, "feed": height, "kiosk": None}] * 3

    pretend(curve)
    study = tune(prepared, "dnn", tmp_path, trials=8, settings=TINY, space=SPACE)
    # After four the median is 0.45; the sixth makes it 0.5.
    pruned = {trial.number: len(trial.validations) for trial in study.trials if trial.state == "pruned"}
    assert pruned == {4: 2, 6: 2, 7: 2}
    assert study.ranked()[0].number == 5
    assert study.value(study.trials[6]) == 0.44


def test_a_trial_is_what_training_would_keep(prepared: Path, tmp_path: Path, pretend) -> None:
    """The epoch of the best mean, or each domain's own best."""
    pretend(
        lambda _: [
            {"search": 0.2, "feed": 0.5, "kiosk": None},
            {"search": 0.6, "feed": 0.3, "kiosk": None},
            {"search": 0.4, "feed": 0.4, "kiosk": None},
        ]
    )
    study = tune(prepared, "dnn", tmp_path / "mean", trials=1, settings=TINY, space=SPACE)
    assert study.trials[0].validations[1:] == ({"search": 0.6, "feed": 0.3, "kiosk": None},) * 2
    study = tune(prepared, "dnn", tmp_path / "domain", trials=1, settings=TINY | {"keep": "domain"}, space=SPACE)
    assert study.trials[0].validations[1:] == ({"search": 0.6, "feed": 0.5, "kiosk": None},) * 2


@pytest.mark.parametrize(("keep", "kept"), [("mean", (0.3, 0.2)), ("domain", (0.5, 0.2))])
def test_the_recall_is_of_the_epoch_with_the_highest_ndcg(monkeypatch, keep: str, kept: tuple[float, float]) -> None:
    """Its own recall is not the highest, in the mean or in feed."""
    monkeypatch.setattr("adi.tuning.trial.is_behind", lambda *_: False)
    study: Any = SimpleNamespace(k=2, objectives=len)
    validations = Validations(study, {"training": {"keep": keep}}, None)
    epochs = [  # NDCG and recall of search, and of feed
        ((0.2, 0.5), (0.1, 0.6)),
        ((0.1, 0.3), (0.3, 0.2)),
        ((0.1, 0.9), (0.2, 0.9)),
    ]
    for number, epoch in enumerate(epochs, 1):
        domains = {name: {"ndcg@2": ndcg, "recall@2": recall} for name, (ndcg, recall) in zip("sf", epoch, strict=True)}
        metrics = Metrics(
            part="validation", against="corpus", history="earlier", ks=(2,), domains=domains, mean={"recall@2": 0.0}
        )
        validations.validated(epoch=number, metrics=metrics, best=number < 3)
    assert tuple(validations.recalls[-1].values()) == kept


def test_worst_finds_what_helps_every_domain(prepared: Path, tmp_path: Path, pretend) -> None:
    """[8, 4] has the better mean and costs feed a fifth; a high lr helps both a little."""

    def curve(settings: dict[str, Any]) -> list[dict[str, float | None]]:
        search, feed = (0.9, 0.08) if settings["networks"] == [8, 4] else (0.5, 0.1)
        more = 1 + settings["lr"]
        return [{"search": search * more, "feed": feed * more, "kiosk": None}]

    pretend(curve)
    by_mean = tune(prepared, "dnn", tmp_path / "mean", trials=12, settings=TINY, space=SPACE).ranked()[0]
    worst = tune(prepared, "dnn", tmp_path / "worst", trials=12, objective="worst", settings=TINY, space=SPACE)
    assert worst.value(worst.trials[0]) == 1.0
    assert (by_mean.settings["networks"], worst.ranked()[0].settings["networks"]) == ([8, 4], [4])
    assert worst.value(worst.ranked()[0]) == pytest.approx((1 + worst.ranked()[0].settings["lr"]) / 1.001)
    others = [worst.value(trial) for trial in worst.trials if trial.settings["networks"] == [8, 4]]
    assert max(others) < 0.9


def test_a_training_that_diverges_is_noted_and_the_study_goes_on(prepared: Path, tmp_path: Path) -> None:
    space = {"lr": {"low": 1e25, "high": 1e35, "log": True}}
    study = tune(prepared, "dnn", tmp_path, trials=3, settings=TINY, space=space)
    assert [trial.state for trial in study.trials] == ["complete", "failed", "failed"]
    assert all("diverged" in (trial.reason or "") for trial in study.trials[1:])
    assert [study.value(trial) for trial in study.trials[1:]] == [None, None]
    assert study.ranked() == [study.trials[0]]


def test_settings_that_contradict_each_other_are_noted(prepared: Path, tmp_path: Path, pretend) -> None:
    pretend(lambda _: [{"search": 0.5, "feed": 0.5, "kiosk": None}])
    space = {"in_batch": {"choices": [True, False]}, "uniform": {"choices": [0, 3]}}
    study = tune(prepared, "dnn", tmp_path, trials=12, settings=TINY, space=space)
    refused = [trial for trial in study.trials if trial.settings == {"in_batch": False, "uniform": 0}]
    assert {trial.state for trial in refused} == {"failed"}
    assert "no negatives: turn on in_batch" in (refused[0].reason or "")
    assert {trial.state for trial in study.trials if trial not in refused} == {"complete"}


def test_settings_that_no_model_can_be_fitted_with_are_noted(prepared: Path, tmp_path: Path) -> None:
    space = {"max_items": {"choices": [2, 1000]}}
    study = tune(prepared, "ease", tmp_path / "some", trials=8, k=3, space=space)
    states = {trial.settings["max_items"]: trial.state for trial in study.trials}
    assert states == {20_000: "complete", 2: "failed", 1000: "complete"}
    assert {("max_items" in trial.reason) for trial in study.trials if trial.reason} == {True}
    with pytest.raises(AdiError, match=r"trial 0, the base settings: .*max_items"):
        tune(prepared, "ease", tmp_path / "none", settings={"max_items": 2}, space=space)


def test_base_settings_that_diverge_end_the_tuning(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"trial 0, the base settings: .*diverged"):
        tune(prepared, "dnn", tmp_path, settings=TINY | {"lr": 1e30}, space=SPACE)
    assert not (tmp_path / "best.yaml").exists()


def test_a_fault_of_the_machine_is_no_result(prepared: Path, tmp_path: Path, pretend) -> None:
    full = AdiError("model.safetensors: cannot be written (no space)")
    pretend(lambda settings: level(settings) if settings["lr"] == 0.001 else [full])
    with pytest.raises(AdiError, match="cannot be written"):
        tune(prepared, "dnn", tmp_path, trials=4, settings=TINY, space=SPACE)
    pretend(level)
    study = tune(prepared, "dnn", tmp_path, trials=4, settings=TINY, space=SPACE)
    assert [trial.state for trial in study.trials] == ["complete"] * 4


def test_worst_without_anything_to_compare_with(prepared: Path, tmp_path: Path, pretend) -> None:
    pretend(lambda _: [{"search": 0.0, "feed": 0.0, "kiosk": None}])
    with pytest.raises(AdiError, match="objective: worst: the recall of the base settings is 0 in every domain"):
        tune(prepared, "dnn", tmp_path, objective="worst", settings=TINY, space=SPACE)


def test_k_and_seed_and_rows_and_device_are_those_of_every_training(
    prepared: Path, tmp_path: Path, pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = pretend(level)
    monkeypatch.setattr("adi.tuning.tune.device_named", lambda name: None)  # the machine may have no GPU
    settings = TINY | {"validation_rows": 3}
    study = tune(prepared, "dnn", tmp_path, trials=2, settings=settings, space=SPACE, seed=5, k=7, device="cuda:1")
    assert (study.k, study.config["training"]["k"]) == (7, 7)
    assert [(one["k"], one["seed"], one["device"]) for one in seen] == [(7, 5, "cuda:1")] * 2
    assert study.queries == {"search": 3, "feed": 1, "kiosk": 0}


def test_after_the_timeout_no_trial_begins(prepared: Path, tmp_path: Path, pretend) -> None:
    pretend(level)
    options: dict[str, Any] = {"settings": TINY, "space": SPACE, "timeout": 0.0}
    assert len(tune(prepared, "dnn", tmp_path, trials=4, **options).trials) == 1
    assert len(tune(prepared, "dnn", tmp_path, trials=4, **options | {"timeout": 60.0}).trials) == 4


def test_an_observer_is_told(prepared: Path, tmp_path: Path, pretend) -> None:
    told: list[object] = []

    class Recorder:
        def step(self, *, trial: int, epoch: int, step: int, steps: int) -> None:
            told.append((trial, epoch, step, steps))

        def finished(self, study: Study) -> None:
            told.append(len(study.trials))

    pretend(lambda settings: level(settings)[:2])
    tune(prepared, "dnn", tmp_path, trials=2, settings=TINY, space=SPACE, observer=Recorder())
    assert told == [(0, 1, 7, 7), (0, 2, 7, 7), 1, (1, 1, 7, 7), (1, 2, 7, 7), 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials: 0; give at least 1"),
        ({"objective": "median"}, "objective: 'median' is not one of mean, worst"),
        ({"seed": -1}, "seed: -1; give a whole number from 0"),
        ({"k": 0}, "k: 0; give a list length of at least 1"),
        ({"device": "gpu"}, "device: 'gpu' is not a device; give cpu, cuda, or cuda:N"),
        ({"settings": {"epoch": 3}}, "setting 'epoch' does not exist for dnn. Did you mean 'epochs'?"),
        ({"space": {"lr": {"low": 2, "high": 1}}}, "space: lr: low 2.0 is not below high 1.0"),
    ],
)
def test_what_cannot_be_tuned_is_refused(prepared: Path, tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(AdiError, match=message):
        tune(prepared, "dnn", tmp_path / "study", **options)
    assert not (tmp_path / "study").exists()


def test_data_without_validation_rows_are_refused(tables: Path, tmp_path: Path) -> None:
    shutil.copytree(tables, tmp_path / "tables")
    schema = tmp_path / "tables" / "schema.yaml"
    schema.write_text(schema.read_text().replace("validation: 0.5", "validation: 0"))
    prepare(schema, tmp_path / "prepared")
    with pytest.raises(AdiError, match="no validation rows to compare settings by"):
        tune(tmp_path / "prepared", "item-knn", tmp_path / "study")
    assert not (tmp_path / "study").exists()
