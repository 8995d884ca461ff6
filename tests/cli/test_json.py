"""`--json` of every command: standard output has one JSON document, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from adi.cli.main import app

WITHOUT_JSON = {
    "serve": "runs until it is ended, and has no result",
    "route": "runs until it is ended, and has no result",
}

COMMANDS = {
    " ".join([name, *more]): command
    for name, group in get_command(app).commands.items()  # type: ignore[attr-defined]
    for more, command in (
        [([name], command) for name, command in group.commands.items()] if hasattr(group, "commands") else [([], group)]
    )
}
"""The commands by their names, those of groups with the group's."""


def result(done: Any) -> Any:
    """The result of a command that was given --json."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def test_every_command_with_a_result_has_json() -> None:
    without = {name for name, command in COMMANDS.items() if not any("--json" in p.opts for p in command.params)}
    assert without == set(WITHOUT_JSON)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_options_of_the_log(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {"--quiet", "--log-format"} <= options


def test_tables_and_a_schema(adi, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    made = result(adi("simulate", tables, "--interactions", 2000, "--domains", 2, "--json"))
    assert made == {"folder": str(tables), "schema": str(tables / "schema.yaml")}
    guessed = result(adi("init", tables / "interactions", "--out", tmp_path / "s.yaml", "--json"))
    assert (guessed["schema"], guessed["notes"]) == (str(tmp_path / "s.yaml"), [])
    prepared = result(adi("prepare", made["schema"], "--out", tmp_path / "prepared", "--json"))
    assert (prepared["rows"]["read"], set(prepared["by_domain"])) == (2000, set(prepared["domains"]))
    assert prepared["notes"][0].startswith("Few validation rows to choose the best epoch by: ")


def test_models(adi, pipeline) -> None:
    names = [model["model"] for model in result(adi("models", "--json"))]
    counted = {model["model"]: model for model in result(adi("models", pipeline.folder / "prepared", "--json"))}
    assert list(counted) == names
    assert counted["popularity"]["networks"] is None
    assert counted["dnn"]["networks"] > 0
    assert counted["dnn"]["embeddings"] > 0


def test_a_training_and_what_comes_after(adi, pipeline, tmp_path: Path) -> None:
    run, prepared = tmp_path / "run", pipeline.folder / "prepared"
    trained = result(adi("train", prepared, "--model", "popularity", "--out", run, "--json"))
    assert (trained["run"], trained["model"], trained["status"]) == (str(run), "popularity", "complete")
    assert (trained["baselines"], trained["self_training"]) == (None, None)
    assert result(adi("evaluate", run, "--json"))["model"] == "popularity"
    assert result(adi("report", run, "--out", tmp_path / "r.html", "--json")) == {"report": str(tmp_path / "r.html")}
    lists = tmp_path / "lists.parquet"
    users = len(result(adi("retrieve", run, "--domain", "feed", "--user", "3", "-k", 4, "--json"))["items"])
    written = result(adi("retrieve-all", run, "--out", lists, "--domains", "feed", "--json"))
    assert (users, written["out"]) == (4, str(lists))
    assert written["rows"] > 0
    assert [folder["faults"] for folder in result(adi("verify", run, "--json"))] == [[]]


def test_settings_and_a_space(adi, pipeline) -> None:
    prepared = pipeline.folder / "prepared"
    shown = result(adi("train", prepared, "--model", "dnn", "--show-config", "--set", "epochs=7", "--json"))
    assert shown["config"]["training"]["epochs"] == 7
    assert shown["by_data"]["unknown_items"] == "no trends"
    assert "lr" in result(adi("tune", prepared, "--model", "dnn", "--show-space", "--json"))


def test_a_rollback(adi, monkeypatch) -> None:
    monkeypatch.setattr("adi.serving.rollback.roll_back", lambda folder, to: to)
    monkeypatch.setattr("adi.serving.rollback.follow_newest", lambda folder: None)
    assert result(adi("rollback", "b", "--to", "v1", "--json")) == {"folder": "b", "chosen": "v1"}
    assert result(adi("rollback", "b", "--newest", "--json")) == {"folder": "b", "chosen": None}
