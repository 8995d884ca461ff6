"""--config, --set and --show-config of `adi train`."""

from pathlib import Path

import pytest
import yaml

from adi.cli.settings import given_settings, list_lengths
from adi.errors import AdiError
from adi.models.catalog import MODELS


def shown(adi, model: str, *options: object) -> dict:
    done = adi("train", "anywhere", "--model", model, "--show-config", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return yaml.safe_load(done.stdout)


@pytest.mark.parametrize("model", list(MODELS))
def test_the_settings_shown_give_the_same_settings(adi, tmp_path: Path, model: str) -> None:
    first = shown(adi, model)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(first))
    assert shown(adi, model, "--config", tmp_path / "run.yaml") == first


def test_changed_settings_survive_the_round_trip(adi, tmp_path: Path) -> None:
    changes = {"epochs=3", "training.lr=1e-3", "networks=[32, 16]", "causal=false", "norm=none", "embedding_lr=.5"}
    changed = shown(adi, "adi-se", *(f"--set={change}" for change in changes))
    assert changed["training"] | {"epochs": 3, "lr": 0.001, "causal": False, "embedding_lr": 0.5} == changed["training"]
    assert changed["model"]["networks"] == [32, 16]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(changed))
    assert shown(adi, "adi-se", "--config", tmp_path / "run.yaml") == changed


@pytest.mark.parametrize("content", ["epochs: 7", "training: {epochs: 7}", "training.epochs: 7"])
@pytest.mark.parametrize("option", ["epochs=3", "training.epochs=3", "training={epochs: 3}"])
def test_set_beats_config_in_every_form(adi, tmp_path: Path, content: str, option: str) -> None:
    (tmp_path / "run.yaml").write_text(f"{content}\nlr: 0.5\nmodel: {{dim: 9}}\n")
    settings = shown(adi, "dnn", "--config", tmp_path / "run.yaml", "--set", option)
    assert (settings["training"]["epochs"], settings["training"]["lr"], settings["model"]["dim"]) == (3, 0.5, 9)


def test_the_last_of_two_set_wins(adi) -> None:
    assert shown(adi, "dnn", "--set", "training.epochs=4", "--set", "epochs=5")["training"]["epochs"] == 5
    assert shown(adi, "dnn", "--set", "epochs=5", "--set", "training.epochs=4")["training"]["epochs"] == 4


def test_an_empty_file_changes_nothing(adi, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("# nothing\n")
    assert shown(adi, "dnn", "--config", tmp_path / "run.yaml") == shown(adi, "dnn")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("epoch=3", "setting 'epoch' does not exist for adi-se. Did you mean 'epochs'?"),
        ("training.dim=3", "setting 'training.dim' does not exist"),
        ("training={epoch: 3}", "setting 'training.epoch' does not exist"),
        ("epochs=many", "training.epochs: should be a whole number"),
        ("epochs=0", "training.epochs: should be 1 or more (got 0)"),
        ("fusion=product", "model.fusion: should be 'concat', 'sum' or 'network-mul' (got 'product')"),
        ("epochs", "--set: 'epochs' is not of the form KEY=VALUE."),
        ("=3", "--set: '=3' is not of the form KEY=VALUE."),
        ("networks=[3", "--set: 'networks=[3': not readable as YAML: line 2, column 1: "),
    ],
)
def test_a_wrong_set_is_named(adi, tmp_path: Path, option: str, message: str) -> None:
    done = adi("train", "anywhere", "--model", "adi-se", "--out", tmp_path / "run", "--set", option)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("adi: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no.yaml: cannot be read (No such file or directory)"),
        ("a: [", "not readable as YAML"),
        ("- epochs", "settings are a mapping, as --show-config prints them"),
        ("3: 4", "settings are a mapping, as --show-config prints them"),
        ("trainin: {epochs: 3}", "setting 'trainin.epochs' does not exist"),
    ],
)
def test_a_wrong_config_is_named(adi, tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "no.yaml"
    if content is not None:
        path.write_text(content)
    done = adi("train", "anywhere", "--model", "dnn", "--show-config", "--config", path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "cannot be read (Is a directory)" in adi("train", "x", "--model", "dnn", "--config", tmp_path).stderr


def test_a_fitted_model_has_no_training(adi) -> None:
    assert shown(adi, "popularity") == {"model": {"half_life": None}}
    done = adi("train", "anywhere", "--model", "popularity", "--show-config", "--set", "epochs=3")
    assert "setting 'epochs' belongs to training, and popularity is fitted without training." in done.stderr


def test_given_settings_are_flat_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("training: {epochs: 1, lr: 2}\ndim: 3")
    given = given_settings(tmp_path / "run.yaml", ["training.epochs=4"], ["dnn"])
    assert list(given.items()) == [("training.lr", 2), ("dim", 3), ("training.epochs", 4)]


def test_list_lengths() -> None:
    assert list_lengths("10, 5") == [10, 5]
    with pytest.raises(AdiError, match="--k: '10,x' is no list of whole numbers"):
        list_lengths("10,x")


BY_MODEL = "two_tower: {dim: 8, lr: 0.5}\nmodels: {dnn: {lr: 0.25}, item-knn: {scope: all}}\n"


@pytest.mark.parametrize(
    ("model", "expected"),
    [("dnn", {"dim": 8, "lr": 0.25, "epochs": 3}), ("adi-se", {"dim": 8, "lr": 0.5, "epochs": 3})],
)
def test_of_settings_by_model_those_of_the_model_are_given(tmp_path: Path, model: str, expected: dict) -> None:
    (tmp_path / "tuned.yaml").write_text(BY_MODEL)
    assert given_settings(tmp_path / "tuned.yaml", ["epochs=3"], [model]) == expected


def test_of_settings_by_model_those_of_several_models_have_their_names(tmp_path: Path) -> None:
    (tmp_path / "tuned.yaml").write_text(BY_MODEL)
    given = given_settings(tmp_path / "tuned.yaml", [], ["dnn", "item-knn"])
    assert given == {"dnn.dim": 8, "dnn.lr": 0.25, "item-knn.scope": "all"}


def test_settings_by_model_of_another_form_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "tuned.yaml").write_text("two_tower: {dim: 8}\ntraining: {lr: 0.1}\n")
    with pytest.raises(AdiError, match=r"tuned\.yaml: "):
        given_settings(tmp_path / "tuned.yaml", [], ["dnn"])
