"""`adi tune` as it is typed: what it prints, how it is stopped and goes on, and what it refuses."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "tuning.md"
SPACE = "lr: {low: 0.001, high: 0.1, log: true}\nnetworks: {choices: [[8], [16]]}\n"


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def trials_of(out: Path) -> list[dict]:
    """The trials of a study but for the time they took."""
    trials = json.loads((out / "study.json").read_text())["trials"]
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in trials]


def domains_of(prepared: Path) -> list[str]:
    return json.loads((prepared / "manifest.json").read_text())["domains"]


def columns_of(shown: str) -> list[str]:
    """The head of a table, which is the line above its rule."""
    lines = shown.splitlines()
    rule = next(number for number, line in enumerate(lines) if "──" in line)
    return lines[rule - 1].split()


def best_of(shown: str) -> str:
    return shown.split("─ \n")[1].split()[0]


def test_the_best_is_shown_and_can_be_trained(adi, pipeline, tmp_path: Path) -> None:
    prepared, out, run = pipeline.folder / "prepared", tmp_path / "tuning", tmp_path / "run"
    done = adi("tune", prepared, "--model", "item-knn", "--out", out, "--trials", 12, "-k", 5)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0].split() == ["trial", "mean", "epochs", "seconds"]
    assert [line.split()[0] for line in lines[1:]] == [str(number) for number in range(12)]
    assert lines[1].endswith("base settings")
    assert "validation recall@5, best of 12 trials (12 complete)" in done.stdout
    assert columns_of(done.stdout) == ["trial", "mean", *domains_of(prepared), "epochs", "seconds"]
    assert re.search(r"± s\.e\. +0\.\d{4} +0\.\d{4} +0\.\d{4} +0\.\d{4}", done.stdout)
    command = done.stdout.splitlines()[-1].partition("Next: adi ")[2]
    assert command == f"train {prepared} --model item-knn --config {out}/best.yaml --out run"
    assert adi(*command.removesuffix("run").split(), run).returncode == 0
    settings = json.loads((run / "run.json").read_text())["config"]
    assert settings == yaml.safe_load((out / "best.yaml").read_text())
    assert f"Trial {best_of(done.stdout)} changes " in done.stdout
    values = [value for value in settings["model"].values() if isinstance(value, float)]
    assert all(f"→ {value:g}" in done.stdout for value in values)


def test_a_difference_that_is_not_significant_is_said(adi, pipeline, tmp_path: Path, monkeypatch) -> None:
    words = ["tune", pipeline.folder / "prepared", "--model", "item-knn", "--trials", 12, "-k", 5, "--out", tmp_path]
    assert "no statistically significant difference: the standard error is 0.0" in adi(*words).stdout
    monkeypatch.setattr("adi.tuning.objective.standard_error_of_mean", lambda *_: 1e-4)
    assert "statistically significant" not in adi(*words).stdout
    monkeypatch.undo()
    path = tmp_path / "study.json"
    study = json.loads(path.read_text())
    path.write_text(json.dumps(study | {"trials": study["trials"][:1]}))
    done = adi(*words, "--timeout", 0)
    assert "Stopped by --timeout after 1 of 12 trials; the same command goes on.\n" in done.stdout
    assert "No trial was better than the base settings, which best.yaml holds.\n" in done.stdout
    assert done.stderr == ""


def test_trials_of_a_trained_model_are_lines(adi, pipeline, tiny: list[str], space: Path, tmp_path: Path) -> None:
    words = ["tune", pipeline.folder / "prepared", "--model", "dnn", "--objective", "worst", "--space", space, *tiny]
    done = adi(*words, "--set=epochs=1", "--out", tmp_path / "study", "--trials", 2)
    assert done.returncode == 0
    head, first, second = done.stderr.splitlines()
    assert head.split() == ["trial", "worst", "epochs", "seconds"]
    assert re.fullmatch(r" {4}0  1\.0000       1 +\d+\.\d  base settings", first)
    assert re.fullmatch(r" {4}1  \d\.\d{4}       1 +\d+\.\d  (best  )?lr=0\.\d+ networks=\[(8|16)\]", second)
    domains = domains_of(pipeline.folder / "prepared")
    assert columns_of(done.stdout) == ["trial", "worst", "mean", *domains, "epochs", "seconds"]


def test_ctrl_c_and_kill_lose_the_trial_under_way_alone(
    adi, pipeline, tiny: list[str], space: Path, tmp_path: Path, monkeypatch
) -> None:
    prepared, cut, whole = pipeline.folder / "prepared", tmp_path / "cut", tmp_path / "whole"
    words = ["tune", prepared, "--model", "dnn", "--space", space, *tiny, "--set=epochs=2", "--trials", 4]

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adi.tuning.trial.train", interrupted)
    done = adi(*words, "--out", cut)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == f"{cut}: not finished; the same command goes on.\nadi: interrupted\n"
    monkeypatch.undo()

    command = [sys.executable, "-m", "adi", *map(str, words), "--out", str(cut)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while process.stderr.readline().split()[:1] != ["1"]:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(trials_of(cut)) >= 2
    done = adi(*words, "--out", cut)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].startswith("    3")
    assert adi(*words, "--out", whole).returncode == 0
    assert trials_of(cut) == trials_of(whole)
    assert [path.name for path in cut.glob(".*")] == [".lock"]


def test_another_study_is_refused(adi, pipeline, tmp_path: Path) -> None:
    words = ["tune", pipeline.folder / "prepared", "--model", "item-knn", "--out", tmp_path, "--trials", 1]
    assert adi(*words).returncode == 0
    done = adi(*words, "--set", "shrink=7", "--objective", "worst")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"adi: {tmp_path}: cannot continue with another objective (started with mean, now worst), base setting "
        "model.shrink (started with 20.0, now 7.0). Give the same, or tune into another folder.\n"
    )


@pytest.mark.parametrize("model", ["dnn", "adi-se", "item-knn"])
def test_the_space_shown_is_the_same_space(adi, model: str, tmp_path: Path) -> None:
    shown = adi("tune", "anywhere", "--model", model, "--show-space")
    assert (shown.returncode, shown.stderr) == (0, "")
    (tmp_path / "space.yaml").write_text(shown.stdout)
    again = adi("tune", "anywhere", "--model", model, "--show-space", "--space", tmp_path / "space.yaml")
    assert again.stdout == shown.stdout


def test_the_page_shows_the_space_of_adi_se(adi) -> None:
    command = "$ adi tune prepared --model adi-se --show-space\n"
    (block,) = re.findall(rf"^```\n{re.escape(command)}(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert block == adi("tune", "prepared", "--model", "adi-se", "--show-space").stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--space: no.yaml: cannot be read (No such file or directory)."),
        ("lr: [", "--space: no.yaml: not readable as YAML"),
        ("- lr", "--space: no.yaml: a space is a mapping of settings, as --show-space prints it."),
        ("lrr: {low: 1, high: 2}", "space: setting 'lrr' does not exist for dnn. Did you mean 'lr'?"),
        ("lr: {low: 2, high: 1}", "space: lr: low 2.0 is not below high 1.0."),
    ],
)
def test_a_wrong_space_is_named(adi, tmp_path: Path, monkeypatch, content: str | None, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("no.yaml").write_text(content)
    for words in (["--show-space"], ["--out", "study"]):
        done = adi("tune", "anywhere", "--model", "dnn", "--space", "no.yaml", *words)
        assert (done.returncode, done.stdout) == (2, "")
        if words == ["--show-space"] or content is None:
            assert done.stderr.startswith(f"adi: {message}")
    assert not Path("study").exists()


def test_the_folder_is_needed(adi) -> None:
    done = adi("tune", "anywhere", "--model", "dnn")
    assert (done.returncode, done.stderr) == (2, "adi: --out is missing: the folder of the study.\n")


def test_without_optuna_the_remedy_is_one_line(adi, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for name in ("adi.tuning.search", "adi.tuning.trial", "adi.tuning.tune"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    done = adi("tune", "anywhere", "--model", "dnn", "--out", tmp_path / "study")
    assert done.returncode == 2
    assert done.stderr == "adi: adi tune needs Optuna, which is not installed: pip install 'adi-retrieval[tune]'\n"
