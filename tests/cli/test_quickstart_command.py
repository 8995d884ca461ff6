"""`adi quickstart`: what it prints, what it asks for, and what it says to tables that it cannot use."""

import json
import subprocess
import sys
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
    starts = (" p", " sequential", " item-knn", " ease", " adi-se")
    assert [line.split()[0] for line in lines if line.startswith(starts)] == [
        "popularity", "personal-popularity", "sequential-rules", "item-knn", "ease", "adi-se",
    ]  # fmt: skip
    assert sum(line.startswith("In words, against ") for line in lines) == 5
    assert lines[-1] == f"Next: adi serve {tmp_path}/first/bundle, and open http://127.0.0.1:8000."
    done = adi("quickstart", log, "--user", "who", "--out", tmp_path / "first", *TINY, "--json")
    made = json.loads(done.stdout)
    assert (made["bundle"], len(made["runs"])) == (f"{tmp_path}/first/bundle", 6)
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
        ("log.csv", "user,item,market\n1,2,us\n2,2,de\n", "item has 1 value). Name the column."),
        ("log.csv", "Kunde,Artikel,Land\n1,2,us\n2,3,de\n", "--user: no column looks like the user"),
        ("log.csv", "user,item,ts\n1,2,3\n2,3,4\n", "write {domain} for its name in their path"),
    ],
)
def test_tables_that_cannot_be_used_are_named_with_the_remedy(adi, tmp_path, name, content, message) -> None:
    (tmp_path / name).write_text(content)
    done = adi("quickstart", tmp_path / name, "--out", tmp_path / "first")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "first").exists()


WITHOUT_TORCH = """
import sys
from adi.cli.main import main
sys.argv = ["adi", "quickstart", sys.argv[1], "--out", sys.argv[2]]
try:
    main()
finally:
    assert "torch" not in sys.modules
"""


def test_faults_of_tables_are_told_before_torch_is_loaded(tmp_path) -> None:
    (tmp_path / "log.csv").write_text("user,item,market,ts\n1,2,us,soon\n2,2,de,soon\n1,3,de,later\n")
    words = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "log.csv"), str(tmp_path / "first")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("adi: ")


def test_a_model_that_does_not_exist_is_named_before_any_work(adi, tmp_path) -> None:
    (tmp_path / "log.csv").write_text("user,item,market\n1,2,us\n2,2,de\n")
    done = adi("quickstart", tmp_path / "log.csv", "--out", tmp_path / "first", "--model", "adi-es")
    assert done.returncode == 2
    assert "'adi-es' is not a model. Did you mean 'adi-se'?" in done.stderr
    assert not (tmp_path / "first").exists()


def test_a_folder_of_several_tables(adi, tmp_path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "clicks.csv").write_text("user_id,item_id,market\n1,2,us\n2,2,de\n1,3,de\n2,4,us\n")
    (tmp_path / "data" / "users.csv").write_text("user_id,age,town,job\n1,30,a,x\n2,40,b,y\n")
    done = adi("init", tmp_path / "data", "--out", tmp_path / "schema.yaml")
    assert done.returncode == 0, done.stderr
    schema = (tmp_path / "schema.yaml").read_text()
    assert "  path: data/clicks.csv" in schema
    assert "  users: {path: data/users.csv, key: user_id}" in schema
