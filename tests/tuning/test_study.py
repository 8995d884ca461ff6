"""The study's folder: what is in its files, and which studies may go on."""

import re
from pathlib import Path

import pytest
import yaml

from adi.errors import AdiError
from adi.models.catalog import MODELS
from adi.training.settings import as_config, settings_for
from adi.tuning.space import Range, changed
from adi.tuning.study import Study, open_study, write_study


@pytest.fixture
def done(study: Study, trial) -> Study:
    trials = (
        trial(0, [0.1, 0.3]),
        trial(1, [0.4], "pruned", lr=0.02),
        trial(2, [0.2, 0.5], lr=0.03, networks=[16, 8]),
        trial(3, [], "failed", uniform=12).model_copy(update={"reason": "has diverged"}),
        trial(4, [0.5], lr=0.04),
    )
    return study.model_copy(update={"trials": trials})


def test_ranked_are_the_complete_trials_the_earlier_of_equals_first(done: Study) -> None:
    assert [trial.number for trial in done.ranked()] == [2, 4, 0]


def test_values(done: Study) -> None:
    assert [done.value(trial) for trial in done.trials] == [0.3, 0.4, 0.5, None, 0.5]
    worst = done.model_copy(update={"objective": "worst"})
    assert [worst.value(trial) for trial in worst.trials] == pytest.approx([1, 4 / 3, 5 / 3, None, 5 / 3])


def test_what_is_written(done: Study, tmp_path: Path) -> None:
    write_study(tmp_path, done)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.yaml", "study.json", "trials.csv"]
    assert (tmp_path / "trials.csv").read_text() == (
        "trial,state,mean,recall@10/search,recall@10/feed,recall@10/kiosk,epochs,seconds,lr,networks,uniform\n"
        "0,complete,0.3,0.3,0.3,,2,1.2,0.01,[8],10\n"
        "1,pruned,0.4,0.4,0.4,,1,1.2,0.02,[8],10\n"
        '2,complete,0.5,0.5,0.5,,2,1.2,0.03,"[16, 8]",10\n'
        "3,failed,,,,,0,1.2,0.01,[8],12\n"
        "4,complete,0.5,0.5,0.5,,1,1.2,0.04,[8],10\n"
    )
    best = (tmp_path / "best.yaml").read_text()
    assert best.startswith("# dnn, the best of 5 trials of adi tune: trial 2\n")
    assert as_config(settings_for(MODELS["dnn"], yaml.safe_load(best))) == changed(
        done.config, {"lr": 0.03, "networks": [16, 8]}
    )


def test_a_study_without_trials_has_no_best(study: Study, tmp_path: Path) -> None:
    write_study(tmp_path, study)
    assert not (tmp_path / "best.yaml").exists()
    assert (tmp_path / "trials.csv").read_text().count("\n") == 1


def test_what_is_read_is_what_was_written(done: Study, study: Study, tmp_path: Path) -> None:
    write_study(tmp_path, done)
    assert open_study(tmp_path, study) == done


def test_an_empty_or_new_folder_begins(study: Study, tmp_path: Path) -> None:
    assert open_study(tmp_path, study) == study
    assert open_study(tmp_path / "new" / "folder", study) == study
    assert (tmp_path / "new" / "folder").is_dir()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fingerprint": "beef"}, "another dataset (started with f00d, now beef)."),
        ({"model": "mmoe"}, "another model (started with dnn, now mmoe)."),
        ({"objective": "worst"}, "another objective (started with mean, now worst)."),
        ({"k": 3}, "another k (started with 10, now 3)."),
        ({"seed": 3}, "another seed (started with 0, now 3)."),
        ({"version": "9"}, "another version of adi (started with 0.1.0, now 9)."),
    ],
)
def test_another_study_is_refused(done: Study, study: Study, tmp_path: Path, change: dict, message: str) -> None:
    started = done.model_copy(update={"version": "0.1.0"})
    write_study(tmp_path, started)
    asked = study.model_copy(update={"version": "0.1.0"} | change)
    with pytest.raises(AdiError, match=re.escape(message)):
        open_study(tmp_path, asked)


def test_other_base_settings_and_spaces_are_refused(study: Study, tmp_path: Path) -> None:
    study = study.model_copy(update={"config": changed(study.config, {"epochs": 10})})
    write_study(tmp_path, study)
    other = study.model_copy(update={"config": changed(study.config, {"epochs": 3})})
    with pytest.raises(AdiError, match=r"another base setting training.epochs \(started with 10, now 3\)"):
        open_study(tmp_path, other)
    space = {name: dimension for name, dimension in study.space.items() if name != "networks"}
    other = study.model_copy(update={"space": space | {"lr": Range(low=0.5, high=0.75)}})
    with pytest.raises(AdiError, match=r"space of lr \(started with .*0.001.* now .*0.75.*networks .*now none\)"):
        open_study(tmp_path, other)


def test_of_many_differences_three_are_named(study: Study, tmp_path: Path) -> None:
    write_study(tmp_path, study)
    other = study.model_copy(update={"model": "mmoe", "k": 3, "seed": 3, "objective": "worst", "fingerprint": "beef"})
    with pytest.raises(AdiError, match=r"another model .* dataset .* objective .*\) and 2 more. Give the same"):
        open_study(tmp_path, other)


def test_a_folder_with_something_else_is_refused(study: Study, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(AdiError, match="exists, is not empty and holds no study"):
        open_study(tmp_path, study)
    with pytest.raises(AdiError, match="exists, is not empty and holds no study"):
        open_study(tmp_path / "run.json", study)


@pytest.mark.parametrize("content", [b'{"model": 3}', b"\xff", b"[" * 5000, b""])
def test_a_file_that_is_no_study_is_refused(study: Study, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.json").write_bytes(content)
    with pytest.raises(AdiError, match=r"study.json: not a study that this adi wrote"):
        open_study(tmp_path, study)
