"""The section of differences: its intervals, its words, and its note where runs cannot be compared."""

import json
import re
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest

from adi.comparison.compare import compare_groups
from adi.errors import AdiError
from adi.report.differences import difference_intervals, slice_intervals
from adi.report.page import write_report
from adi.runs.groups import group_runs
from adi.runs.run import read_runs

Make = Callable[..., Path]


@pytest.fixture
def runs(ranked_run: Make, prepared: Path) -> list[Path]:
    """Three models on the hand-written log: 80 users in search, 60 in feed, none in kiosk."""
    fingerprint = json.loads((prepared / "manifest.json").read_text())["fingerprint"]

    def ranks(search: int, feed: int) -> dict[str, list[tuple[int, float]]]:
        return {
            "search": [(user, 0.0 if user < search else inf) for user in range(80)],
            "feed": [(user, 0.0 if user < feed else inf) for user in range(60)],
            "kiosk": [],
        }

    data = {"prepared": str(prepared), "fingerprint": fingerprint}
    return [
        ranked_run("popularity", ranks(40, 30), model="popularity", parameters=None, **data),
        ranked_run("dnn", ranks(70, 30), model="dnn", **data),
        ranked_run("adi-se", ranks(72, 4), model="adi-se", **data),
    ]


def page_of(tmp_path: Path, runs: list[Path], **options: Any) -> str:
    write_report(runs, tmp_path / "report.html", **options)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def charts_of(page: str) -> dict[str, Any]:
    found = re.search(r"^const charts = (.*);$", page, flags=re.MULTILINE)
    assert found is not None
    charts: dict[str, Any] = json.loads(found[1])
    return charts


def section_of(page: str) -> str:
    """The text of the section, tags left out."""
    found = re.search(r"<h2>Differences.*?(?=<h2>)", page, flags=re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]*>", " ", found[0]).split())


def test_a_chart_has_the_intervals_the_margin_and_zero(runs: list[Path]) -> None:
    groups = group_runs(read_runs(runs))
    comparison = compare_groups(groups, measure="recall@10")
    specification = difference_intervals(groups, comparison, domain="feed", extent=(-0.8, 0.6))
    band, zero, intervals, points = specification["layer"]
    assert specification["datasets"][band["data"]["name"]] == [{"low": -0.005, "high": 0.005}]
    assert specification["datasets"][zero["data"]["name"]] == [{"low": 0.0}]
    rows = specification["datasets"][intervals["data"]["name"]]
    by_model = {one.model: one for one in comparison.differences if one.domain == "feed"}
    assert [row["model"] for row in rows] == ["dnn", "adi-se"]
    for row in rows:
        one = by_model[row["model"]]
        assert (row["difference"], row["low"], row["high"]) == (one.difference, one.low, one.high)
    assert rows[1]["difference"] == pytest.approx(4 / 60 - 30 / 60)
    assert intervals["encoding"]["x"]["scale"]["domain"] == [-0.8, 0.6]
    assert points["encoding"]["color"] == intervals["encoding"]["color"]
    assert points["encoding"]["color"]["scale"]["domain"] == ["popularity", "dnn", "adi-se"]


def test_a_chart_by_query_group_leaves_out_small_groups(ranked_run: Make) -> None:
    def run(model: str, new: int) -> Path:
        known = [(user, 0.0, 4) for user in range(60, 130)]
        few = [(user, 0.0, 30) for user in range(130, 140)]
        return ranked_run(
            model, {"feed": [(user, 0.0 if user < new else inf, 0) for user in range(60)] + known + few}, model=model
        )

    groups = group_runs(read_runs([run("dnn", 20), run("mmoe", 20), run("adi-se", 50)]))
    comparison = compare_groups(groups, measure="recall@10", by=["history_length"])
    specification = slice_intervals(groups, comparison, by="history_length", domain="feed")
    assert specification is not None
    intervals = specification["layer"][2]
    rows = specification["datasets"][intervals["data"]["name"]]
    assert [(row["model"], row["x"]) for row in rows] == [
        (model, group) for model in ("mmoe", "adi-se") for group in ("0|60", "3–5|70")
    ]
    assert [row["difference"] for row in rows] == pytest.approx([0, 0, 0.5, 0])
    assert rows[2]["low"] < 0.5 < rows[2]["high"]
    assert intervals["encoding"]["x"]["sort"] == ["0|60", "3–5|70"]
    assert intervals["encoding"]["xOffset"]["sort"] == ["mmoe", "adi-se"]
    assert slice_intervals(groups, comparison, by="item_popularity", domain="feed") is None


def test_the_section_has_words_intervals_and_overlaps(tmp_path: Path, runs: list[Path]) -> None:
    page = page_of(tmp_path, runs)
    section = section_of(page)
    assert section.startswith(
        "Differences in Recall@10 to popularity dnn helps in search, makes no difference in feed;"
    )
    assert "adi-se helps in search, hurts in feed; not decided in kiosk." in section
    assert "+0.3750 helps" in section
    assert "Model search feed kiosk Mean Over queries dnn" in section
    assert (
        "Only one seed of dnn and adi-se: the intervals cover the variation between users, not between trainings."
        in section
    )
    assert "% of users and" in section
    assert "Users search feed kiosk" in section
    about = re.findall(r'aria-label="(Difference in Recall@10, [^"]*)"', page)
    assert about == [f"Difference in Recall@10, {place}: intervals" for place in ("search", "feed", "kiosk", "mean")]
    extents = {
        tuple(chart["layer"][0]["encoding"]["x"]["scale"]["domain"])
        for chart in charts_of(page).values()
        if "layer" in chart and len(chart["layer"]) == 4
    }
    assert len(extents) == 1


def test_a_baseline_can_be_chosen(tmp_path: Path, runs: list[Path]) -> None:
    assert section_of(page_of(tmp_path, runs, baseline="dnn")).startswith("Differences in Recall@10 to dnn popularity")
    with pytest.raises(AdiError, match=r"baseline: 'dn' is not one of the models: .* Did you mean 'dnn'\?"):
        write_report(runs, tmp_path / "other.html", baseline="dn")
    assert not (tmp_path / "other.html").exists()


def test_one_model_has_no_such_section(tmp_path: Path, runs: list[Path]) -> None:
    assert "<h2>Differences" not in page_of(tmp_path, runs[:1])


def test_runs_from_before_ranks_were_kept_are_reported_and_named(tmp_path: Path, runs: list[Path]) -> None:
    metrics = json.loads((runs[1] / "metrics.json").read_text())
    del metrics["ranks"]
    (runs[1] / "metrics.json").write_text(json.dumps(metrics))
    page = page_of(tmp_path, runs)
    assert re.match(
        r"Differences Not available: .*dnn/metrics\.json: written by an adi that kept no ranks\. Run &#x27;adi eval",
        section_of(page),
    )
    assert "Recall@10 by domain" in page


def test_without_the_data_the_overlap_is_not_available(tmp_path: Path, runs: list[Path]) -> None:
    for run in runs:
        card = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps(card | {"prepared": "../gone"}))
    section = section_of(page_of(tmp_path, runs))
    assert "Not available: " in section
    assert "gone: not a prepared dataset" in section
    assert "dnn helps in search" in section
