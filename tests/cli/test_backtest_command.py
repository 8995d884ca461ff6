"""The command backtest: its tables, its JSON, and its messages."""

import json
from pathlib import Path

import pytest

LOG = ["user,item,domain,time", *(f"u{t},{'xy'[t % 3 == 0]},{'ab'[t % 2]},{t}" for t in range(40))]
SCHEMA = """
domains: {column: domain}
interactions: {path: log.csv, user: user, item: item, time: time}
features:
  user: [{name: user_id, kind: id}]
  item: [{name: item_id, kind: id}]
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text("\n".join(LOG) + "\n", encoding="utf-8")
    (tmp_path / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    return tmp_path


def words(tables: Path, *more: object) -> list[object]:
    walk = ["--every", "10", "--windows", "2", "--models", "popularity", "--measure", "ndcg@10"]
    return ["backtest", tables, *walk, "--out", tables / "out", *more]


def test_tables_then_json(adi, tables: Path) -> None:
    done = adi(*words(tables))
    assert done.returncode == 0
    assert done.stdout.count("ndcg@10") == 3  # the mean and two domains
    assert done.stdout.endswith(f"Wrote {tables}/out/backtest.md, backtest.json and backtest.png.\n")
    head, *cells = (line.split() for line in done.stderr.splitlines())
    assert head == ["data", "set", "cell", "seed", "recall", "time"]
    assert [cell[:3] for cell in cells] == [["window-1", "popularity", "0"], ["window-2", "popularity", "0"]]
    again = adi(*words(tables, "--json"))
    assert again.stderr == "2 of 2 cells are done already.\n"
    result = json.loads(again.stdout)
    assert result == json.loads((tables / "out" / "backtest.json").read_text())
    assert {(score["way"], score["window"]) for score in result["scores"]} == {
        (way, window) for way in ("frozen", "live", "retrained") for window in (1, 2)
    }


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--every", "0"], "adi: --every: 0; give a length above 0, such as 3600."),
        (["--windows", "9"], "adi: --windows: 9 of 10 begin at -50, and the log begins at 0"),
        (["--models", "popularty"], "adi: --models: 'popularty' is not a model. Did you mean 'popularity'?"),
        (["--until", "90"], "adi: --until: 90: the last window begins at 80, after the end of the log at 39."),
        (["--measure", "recall"], "adi: --measure: 'recall' is not one of recall@10"),
    ],
)
def test_a_wrong_option_is_one_message(adi, tables: Path, more: list[str], message: str) -> None:
    done = adi(*words(tables, *more))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert not (tables / "out").exists()
