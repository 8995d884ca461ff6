"""adi abtest estimate: its tables, cautions, JSON, gate and errors; and the log of a simulation that it reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from shown_logs import BY_HAND, bandit, write_shown


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a bandit that can be trusted."""
    return write_shown(tmp_path_factory.mktemp("estimate") / "log.parquet", bandit(800, 0))


@pytest.fixture(scope="module")
def unsupported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a bandit whose other arm mostly shows an item that this one never shows."""
    rows = bandit(800, 0, target=np.array([0.2, 0.1, 0.1, 0.6]))
    return write_shown(tmp_path_factory.mktemp("estimate") / "log.parquet", rows)


def test_estimates_that_can_be_trusted(adi, log: Path) -> None:
    done = adi("abtest", "estimate", log, "--gate")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("mean weight", "effective", "supported", "measured", "IPS", "SNIPS", "doubly robust", "CTR", "RPM"):
        assert word in done.stdout
    assert "not trusted" not in done.stdout
    assert "Caution" not in done.stdout


def test_estimates_that_cannot_be_trusted_have_a_caution_and_fail_the_gate(adi, unsupported: Path) -> None:
    done = adi("abtest", "estimate", unsupported)
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "Caution, all domains: not trusted, because the log supports 40.0% of the other arm's choices" in text
    gate = adi("abtest", "estimate", unsupported, "--gate")
    assert gate.returncode == 3
    assert "gate: all domains: not trusted, because the log supports 40.0%" in gate.stderr
    assert gate.stdout == done.stdout


def test_what_the_log_lacks_is_said(adi, tmp_path: Path) -> None:
    needed = ("request", "user", "domain", "propensity", "target", "click")
    log = write_shown(tmp_path / "log.parquet", [{name: row[name] for name in needed} for row in BY_HAND])
    done = adi("abtest", "estimate", log)
    text = " ".join(done.stdout.split())
    assert "No RPM: the log has no column charge." in text
    assert "The log has no column supported: what it lacks is judged by the mean weight alone." in text
    assert "No doubly robust estimates: the log has no columns predicted and expected." in text


def test_json_has_what_the_tables_say(adi, log: Path, unsupported: Path) -> None:
    content = json.loads(adi("abtest", "estimate", log, "--json").stdout)
    assert content["trusted"] is True
    everywhere, search = content["domains"]
    assert (everywhere["domain"], search["domain"]) == (None, "search")
    assert set(everywhere["metrics"]["ctr"]) == {"measured", "ips", "snips", "dr"}
    assert everywhere["metrics"]["ctr"]["ips"]["low"] < everywhere["metrics"]["ctr"]["ips"]["value"]
    content = json.loads(adi("abtest", "estimate", unsupported, "--json", "--gate").stdout)
    assert content["trusted"] is False
    assert content["domains"][0]["sentence"].startswith("all domains: not trusted, because the log supports 40.0%")


def test_errors_name_the_option(adi, log: Path, tmp_path: Path) -> None:
    def refused(*words: object) -> str:
        done = adi("abtest", "estimate", *words)
        assert (done.returncode, done.stdout) == (2, "")
        return str(done.stderr)

    assert refused(log, "--column", "propensity").startswith("adi: --column: 'propensity': give a name and the table")
    assert refused(log, "--column", "item=x").startswith("adi: --column: 'item' is not one of request, user")
    assert refused(log, "--column", "target=p").startswith(f"adi: --column: {log} has no column 'p'")
    assert refused(tmp_path / "none.csv").startswith("adi: TABLES: ")
    bad = write_shown(tmp_path / "bad.parquet", [row | {"propensity": 0.0} for row in BY_HAND])
    assert "propensity is 0: 4 rows, the first request '1', user 'ann'" in refused(bad)


def test_a_simulation_writes_the_log_that_its_last_line_estimates_from(
    adi, live_market: Path, live_experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "live"
    words = ("--days", 1, "--requests", 600, "--candidates", 20, "--jobs", 1, "--slots", 1, "--explore", 1)
    done = adi("abtest", "simulate", live_market, live_experiment, "--out", out, *words, "--other", "control=treatment")
    assert (done.returncode, done.stderr) == (0, "")
    line = " ".join(done.stdout.split()).rpartition("Off-policy estimates of treatment from the log of control: adi ")[
        2
    ]
    estimated = adi(*line.split(), "--json")
    assert estimated.returncode == 0, estimated.stderr
    everywhere = json.loads(estimated.stdout)["domains"][0]
    assert everywhere["supported"] == pytest.approx(1.0)
    assert everywhere["metrics"]["ctr"]["ips"]["value"] == pytest.approx(
        everywhere["metrics"]["ctr"]["measured"]["value"]
    )


def test_options_of_a_simulation_that_are_refused(
    adi, live_market: Path, live_experiment: Path, tmp_path: Path
) -> None:
    def refused(*words: object) -> str:
        done = adi("abtest", "simulate", live_market, live_experiment, "--out", tmp_path / "live", *words)
        assert (done.returncode, done.stdout) == (2, "")
        return str(done.stderr)

    assert refused("--explore", 1).startswith("adi: --explore: lists of 4 slots: the probability of a draw is known")
    assert refused("--other", "control=treatment").startswith("adi: --other: without --explore nothing is drawn")
    assert refused("--slots", 1, "--explore", 1, "--other", "control").startswith(
        "adi: --other: 'control': give an arm and another one"
    )
    assert refused("--slots", 1, "--explore", 1, "--other", "control=new").startswith(
        "adi: --other: 'new' is not one of control, treatment"
    )
