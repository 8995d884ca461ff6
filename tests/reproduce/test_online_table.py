"""Table 9 of seconds: the uplifts beside the paper's, and what is kept, simulated again or refused."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.online import simulate
from adi.reproduce import experiments, grid
from adi.reproduce.grid import reproduce

WORDS: dict[str, Any] = {"only": ["dnn", "adi-se"], "quick": True, "requests": 900}


@pytest.fixture
def again(simulated: Path, tiny: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An --out with a copy of the finished table."""
    tiny.setattr(simulate, "available_cores", lambda: 1)
    shutil.copytree(simulated, tmp_path / "out")
    return tmp_path / "out"


def logs_in(out: Path) -> Path:
    return out / "quick" / "runs" / "marketplace" / "adi-se-0" / "online"


def rows_of(out: Path) -> dict[tuple[str, str, str], str]:
    with (out / "quick" / "table9.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == "ADI-SE"]
    return {(row["seed"], row["domain"], row["measure"]): row["value"] for row in rows}


def test_the_csv_has_values_of_the_logs_and_uplifts(simulated: Path) -> None:
    rows, logs = rows_of(simulated), logs_in(simulated)
    exposures = pq.read_table(logs / "exposures", columns=["user", "arm"]).to_pylist()
    arms = {row["user"]: row["arm"] for row in exposures}
    assert set(arms.values()) == set(WORDS["only"])
    clicks = pq.read_table(logs / "clicks", columns=["user", "charge"]).to_pylist()
    for arm, words in (("dnn", "of the control"), ("adi-se", "of the model")):
        lists = sum(row["arm"] == arm for row in exposures)
        charges = [row["charge"] for row in clicks if arms[row["user"]] == arm]
        assert float(rows["0", "all domains", f"rpm {words}"]) == pytest.approx(1000 * sum(charges) / lists)
        assert float(rows["0", "all domains", f"ctr {words}"]) == pytest.approx(len(charges) / lists)
    values = [float(rows["0", "all domains", f"ctr {words}"]) for words in ("of the model", "of the control")]
    assert float(rows["0", "all domains", "ctr uplift"]) == pytest.approx(values[0] / values[1] - 1)
    assert float(rows["mean", "all domains", "ctr uplift"]) == pytest.approx(values[0] / values[1] - 1)
    assert ("0", "search", "recall@50") in rows


def test_the_report_says_simulated_and_has_the_papers_numbers(simulated: Path) -> None:
    page = (simulated / "quick" / "report.html").read_text()
    assert "Simulated. No person saw these lists" in page
    cells = re.search(r'<th scope="row">ADI-SE, RPM</th>(.*?)</tr>', page)
    assert cells is not None
    values = re.findall(r"<td>(.*?)</td>", cells[1])
    assert values[-3:] == ["+1.9%", "+0.7%", "+2.6%"]
    uplift = float(rows_of(simulated)["mean", "all domains", "rpm uplift"])
    assert re.sub("<.*?>", "", values[3]).startswith(f"{uplift:+.1%} ")
    assert 'href="runs/marketplace/adi-se-0/online/abtest.html"' in page
    assert (logs_in(simulated) / "abtest.html").exists()
    assert (simulated / "quick" / "table9-marketplace.png").read_bytes().startswith(b"\x89PNG")


def test_a_finished_experiment_is_kept(again: Path, observer, tiny: pytest.MonkeyPatch) -> None:
    tiny.setattr(experiments, "simulate_experiment", None)
    before, recorder = rows_of(again), observer()
    reproduce("table9", again, recorder, **WORDS)
    assert recorder.left == 0
    assert rows_of(again) == before


def test_an_interrupted_experiment_comes_to_the_same(again: Path, observer, tiny: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = rows_of(again)
    shutil.rmtree(logs_in(again))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "analyze", stop)
        with pytest.raises(KeyboardInterrupt):
            reproduce("table9", again, observer(), **WORDS)
    assert not logs_in(again).exists()
    reproduce("table9", again, observer(), **WORDS)
    assert rows_of(again) == before


def test_another_length_is_refused_and_redone(again: Path, observer, tiny: pytest.MonkeyPatch) -> None:
    with pytest.raises(AdiError, match="2 days were simulated with 900 requests a day, not 3 with 900") as refused:
        reproduce("table9", again, observer(), days=3, **WORDS)
    assert "--days 2 --requests 900" in str(refused.value)
    tiny.setattr(grid, "write_outputs", lambda folder, version, *, quick: folder.root)
    recorder = observer()
    reproduce("table9", again, recorder, days=3, redo=True, **WORDS | {"requests": 300})
    settings = json.loads((logs_in(again) / "simulation.json").read_text())["settings"]
    assert (settings["days"], settings["requests"], recorder.left) == (3, 300, 0)
