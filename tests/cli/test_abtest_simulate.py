"""adi abtest simulate: its table, its logs, and options that are refused before any work."""

import json
from pathlib import Path


def test_what_is_simulated_can_be_analysed_as_the_last_line_says(
    adi, live_market: Path, live_experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "live"
    words = ("--days", 1, "--requests", 400, "--candidates", 20, "--jobs", 1, "--bounds")
    done = adi("abtest", "simulate", live_market, live_experiment, "--out", out, *words)
    assert (done.returncode, done.stderr) == (0, "")
    for arm in ("control", "treatment", "oracle", "random"):
        assert f" {arm} " in done.stdout
    command = done.stdout.rpartition("Next: adi ")[2].split()
    analysed = adi(*command, "--json")
    assert analysed.returncode == 0, analysed.stderr
    assert set(json.loads(analysed.stdout)["arms"]) == {"control", "treatment", "oracle", "random"}


def test_options_that_are_refused(adi, live_market: Path, live_experiment: Path, tmp_path: Path) -> None:
    def refused(*words: object) -> str:
        done = adi("abtest", "simulate", live_market, live_experiment, "--out", tmp_path / "live", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert not (tmp_path / "live").exists()
        return str(done.stderr)

    assert refused("--plant", "treatment").startswith("adi: --plant: 'treatment': give an arm and a number")
    assert refused("--plant", "new=0.1").startswith("adi: --plant: 'new' is not one of control, treatment")
    assert refused("--bid-weight", "treatment=low").startswith(
        "adi: --bid-weight: 'treatment=low': give an arm and a n"
    )
    assert refused("--bid-weight", "treatment=-1").startswith(
        "adi: --bid-weight: treatment=-1.0; give a multiple from 0"
    )
    assert refused("--slots", "60").startswith("adi: --slots: 60 are more than the 50 candidates")
    assert refused("--set", "epochs=3").startswith("adi: --set: there is nothing to train")
    assert "dnn" in refused("--retrain", "dn")
    assert "epochs" in refused("--retrain", "dnn", "--set", "epoch=3")
