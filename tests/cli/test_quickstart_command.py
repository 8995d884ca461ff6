"""`adi quickstart`: what it prints, what it asks for, and what it says to tables that it cannot use."""

import json
from pathlib import Path

import pytest

from adi.cli import quickstart as command

TINY = ["--set=epochs=1", "--set=embedding_dim=4", "--set=dim=4", "--set=networks=[4]", "--set=embedding_sets=1"]


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    """A log whose columns of user and item have names that nobody would guess."""
    rows = [(f"u{n % 30}", f"i{n * n % 11}", "ab"[n // 30 % 2], n) for n in range(600)]
    path = tmp_path_factory.mktemp("log") / "log.csv"
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join(["who,item,domain,time", *lines]) + "\n")
    return path


def test_sentences_a_table_and_what_comes_next(adi, log, tmp_path) -> None:
    done = adi("quickstart", log, "--user", "who", "--out", tmp_path / "first", *TINY)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"Schema: {tmp_path}/first/schema.yaml, guessed")
    assert [line.split()[0] for line in lines if line.startswith((" popularity", " item-knn", " ease", " adi-se"))] == [
        "popularity", "item-knn", "ease", "adi-se",
    ]  # fmt: skip
    assert sum(line.startswith("In words, against ") for line in lines) == 3
    assert lines[-1] == f"Next: adi serve {tmp_path}/first/bundle, and open http://127.0.0.1:8000."
    done = adi("quickstart", log, "--user", "who", "--out", tmp_path / "first", *TINY, "--json")
    made = json.loads(done.stdout)
    assert (made["bundle"], len(made["runs"])) == (f"{tmp_path}/first/bundle", 4)
    assert made["comparison"]["measure"] == "recall@50"
    assert "which is there already" in done.stderr


def test_a_column_that_cannot_be_guessed_is_asked_for_in_a_terminal(adi, log, tmp_path, monkeypatch) -> None:
    asked: list[str] = []

    def answer(question: str, **_: object) -> str:
        asked.append(question)
        return "who"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(command.Prompt, "ask", answer)
    done = adi("quickstart", log, "--out", tmp_path / "first", *TINY)
    assert done.returncode == 0
    assert asked == ["Column of the user"]
    assert "no column looks like the user" in done.stdout


def test_it_is_an_error_where_nobody_can_answer(adi, log, tmp_path) -> None:
    done = adi("quickstart", log, "--out", tmp_path / "first")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("adi: --user: no column looks like the user of an interaction")
    assert not (tmp_path / "first").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", "1,2,a\n2,3,b\n", "log.csv: has no header: '1' is a value and no name."),
        ("log.csv", "user,item,market\n1,2,us\n2,3,us\n", "market has one value"),
        ("log.xlsx", "PK", "Save each sheet as CSV."),
        ("log.csv", "", "the file is empty"),
    ],
)
def test_tables_that_cannot_be_used_are_named_with_the_remedy(adi, tmp_path, name, content, message) -> None:
    (tmp_path / name).write_text(content)
    done = adi("quickstart", tmp_path / name, "--out", tmp_path / "first")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "first").exists()
