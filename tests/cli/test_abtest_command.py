"""adi abtest and adi abtest plan: their options, output, JSON, exit codes and errors."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.main import get_command

from abtest_logs import many
from adi.cli.main import app
from adi.serving.exposures import SCHEMA

WITHOUT_TORCH = """
import sys
from adi.cli.main import app
app(sys.argv[1:], standalone_mode=False)
assert "torch" not in sys.modules
"""

EXPERIMENT = "name: x\narms:\n  control: {bundle: a, weight: 1}\n  treatment: {bundle: b, weight: 1}\n"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with exposures, clicks.parquet and x.yaml; the treatment has a much higher CTR."""
    folder = tmp_path_factory.mktemp("abtest")
    exposures, clicks = many(600, uplift=0.8, days=3)
    (folder / "exposures").mkdir()
    pq.write_table(pa.Table.from_pylist(exposures, schema=SCHEMA), folder / "exposures" / "a.parquet")
    pq.write_table(pa.Table.from_pylist(clicks), folder / "clicks.parquet")
    (folder / "x.yaml").write_text(EXPERIMENT)
    return folder


def words(logs: Path) -> list[object]:
    return [logs / "exposures", "--clicks", logs / "clicks.parquet", "--charge", "charge"]


def test_a_folder_is_analysed_by_default(adi, logs: Path, tmp_path: Path) -> None:
    done = adi("abtest", *words(logs), "--experiment", logs / "x.yaml", "--report", tmp_path / "r.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert "treatment against control" in done.stdout
    assert "treatment helps: rpm in all domains" in done.stdout
    assert "Sample ratio: p = 1." in done.stdout
    assert (tmp_path / "r.html").exists()
    assert adi("abtest", "analyze", *words(logs)).stdout == adi("abtest", *words(logs)).stdout


def test_options_may_come_before_the_folder(adi, logs: Path) -> None:
    folder, *options = words(logs)
    assert adi("abtest", *options, folder).stdout == adi("abtest", *words(logs)).stdout


def test_json_has_what_the_tables_say(adi, logs: Path) -> None:
    content = json.loads(adi("abtest", *words(logs), "--json").stdout)
    ctr = next(each for each in content["uplifts"] if each["metric"] == "ctr" and each["domain"] is None)
    assert (ctr["verdict"], content["arms"]["control"]["users"]) == ("helps", 300)
    assert ctr["sentence"].startswith("treatment helps ctr in all domains (+")


def test_the_gate_passes_fails_and_says_why(adi, logs: Path) -> None:
    assert adi("abtest", *words(logs), "--gate").returncode == 0
    hurt = adi("abtest", *words(logs), "--control", "treatment", "--gate")
    assert hurt.returncode == 3
    assert "gate: control hurts ctr in search (" in hurt.stderr
    early = adi("abtest", *words(logs), "--days", "14", "--gate")
    assert early.returncode == 3
    assert "gate: nothing can be decided: stopped early" in early.stderr
    strict = adi("abtest", *words(logs), "--gate-strict")
    assert strict.returncode == 3
    assert "gate: whether treatment helps or hurts retention in search is not decided" in strict.stderr


def test_without_charges_there_is_no_revenue(adi, logs: Path) -> None:
    done = adi("abtest", logs / "exposures", "--clicks", logs / "clicks.parquet")
    assert "RPM and PPC are not reported" in done.stdout
    assert " RPM " not in done.stdout


def test_errors_name_the_option(adi, logs: Path) -> None:
    done = adi("abtest", logs / "exposures", "--clicks", logs / "clicks.parquet", "--charge", "price")
    assert (done.returncode, done.stderr.startswith("adi: --charge: ")) == (2, True)
    assert adi("abtest", logs / "none", "--clicks", "x").stderr.startswith("adi: LOGS: ")


def test_a_plan_from_logs_and_from_rates(adi, logs: Path) -> None:
    done = adi("abtest", "plan", *words(logs), "--days", "5")
    assert (done.returncode, done.stderr) == (0, "")
    assert "days for 5.0%" in done.stdout
    assert "beyond the log's 3 days" in done.stdout
    rates = adi("abtest", "plan", "--users-a-day", "1000", "--ctr", "0.1", "--json")
    assert [each["metric"] for each in json.loads(rates.stdout)["rows"]] == ["ctr"]
    assert adi("abtest", "plan").stderr == "adi: LOGS: give a folder of exposures, or --users-a-day and --ctr.\n"
    both = adi("abtest", "plan", *words(logs), "--ctr", "0.1")
    assert "rates are read from the logs" in both.stderr


def test_every_command_of_the_group_shows_an_example_and_every_default(adi) -> None:
    commands = get_command(app).commands["abtest"].commands  # type: ignore[attr-defined]
    assert set(commands) == {"analyze", "plan", "simulate", "estimate"}
    for name, command in commands.items():
        shown = " ".join(adi("abtest", name, "--help").stdout.replace("│", " ").split())
        assert f"Example: adi abtest {name}" in shown
        for parameter in command.params:
            assert parameter.help, parameter.name
            if parameter.default is not None and not parameter.is_flag and not parameter.required:
                assert f"[default: {parameter.default}]" in shown, parameter.name


def test_an_analysis_needs_no_torch(logs: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, "abtest", *map(str, words(logs)), "--json"]
    subprocess.run(command, check=True, capture_output=True)
