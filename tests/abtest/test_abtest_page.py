"""The report of a test: its numbers, its charts, and what it says where nothing is decided."""

import re
from pathlib import Path
from typing import Any

import pytest

from abtest_logs import WriteLogs, many, shown
from adi.abtest.analysis import analyze
from adi.abtest.charts import by_day, intervals, value_of
from adi.abtest.clicks import ClickColumns
from adi.abtest.metrics import METRICS
from adi.abtest.page import render, write_page
from adi.abtest.totals import Day
from adi.errors import AdiError

CHARGE = ClickColumns(charge="charge")


def text_of(page: str) -> str:
    without = re.sub(r"<(script|style)>.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", without)


def rows_of(chart: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for rows in chart["datasets"].values() for row in rows]


def test_a_page_has_every_uplift_and_the_charts(write_logs: WriteLogs, tmp_path: Path) -> None:
    exposures, clicks = many(600, uplift=0.8)
    logs = write_logs([*exposures, shown("eve", "control", 0, assignment="header")], clicks)
    test = analyze(logs.exposures, logs.clicks, columns=CHARGE, shares={"control": 0.5, "treatment": 0.5})
    write_page(test, tmp_path / "new" / "abtest.html")
    page = (tmp_path / "new" / "abtest.html").read_text()
    shown_text = text_of(page)
    for uplift in test.uplifts:
        if uplift.uplift is not None:
            assert f"{uplift.uplift:+.2%}" in shown_text
    for words in ("x: treatment against control", "helps", "Sample ratio: p = 1", "chosen by header", "&lt; 0.001"):
        assert words in shown_text
    # 4 metrics' intervals (retention has none), 3 metrics by day in 2 panels
    assert page.count('<figure class="chart"') == 3 + 3 * 2
    assert "NaN" not in shown_text


def test_a_page_says_first_why_nothing_is_decided_and_escapes_names(write_logs: WriteLogs) -> None:
    exposures, clicks = many(600)
    marked = [row | {"domain": "<b>"} for row in exposures], [row | {"domain": "<b>"} for row in clicks]
    logs = write_logs(*marked)
    page = render(analyze(logs.exposures, logs.clicks, days=14))
    assert "Nothing is decided:" in page.partition("<main>")[0]
    assert "stopped early" in page
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_a_day_without_clicks_has_no_ppc() -> None:
    day = Day(day="2026-11-01", arm="control", domain=None, exposures=10, clicks=0, charge=0.0)
    assert (value_of(day, METRICS["ppc"]), value_of(day, METRICS["ctr"])) == (None, 0.0)
    chart = by_day([day], METRICS["ppc"], arms=["control", "treatment"], title="all domains")
    assert rows_of(chart) == [{"arm": "control", "day": "2026-11-01", "value": None}]


def test_intervals_are_drawn_where_they_are(write_logs: WriteLogs) -> None:
    large, small = many(600), many(10, domain="tiny")
    logs = write_logs([*large[0], *small[0]], [*large[1], *small[1]])
    test = analyze(logs.exposures, logs.clicks)
    cells = [each for each in test.uplifts if each.metric == "ctr"]
    chart = intervals(cells, arms=list(test.arms), title="CTR", margin=0.01)
    labels = [row["label"] for row in rows_of(chart) if "label" in row]
    assert labels == ["all domains", "search"]


def test_a_report_that_cannot_be_written(write_logs: WriteLogs, tmp_path: Path) -> None:
    logs = write_logs(*many(4))
    test = analyze(logs.exposures, logs.clicks)
    with pytest.raises(AdiError, match=r"report: .* is a folder"):
        write_page(test, tmp_path)
