"""The charts of the results pages show the tables beside them."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import charts  # noqa: E402
from charts import ALL, CHARTS, Bar, Chart, drawing  # noqa: E402


@pytest.mark.parametrize("chart", ALL, ids=lambda chart: chart.name)
def test_a_chart_is_of_its_table(chart: Chart) -> None:
    """After a table has changed: python docs/_ext/charts.py."""
    assert (CHARTS / f"{chart.name}.svg").read_text(encoding="utf-8") == drawing(chart.title, chart.bars())
    assert f"images/charts/{chart.name}.svg" in (DOCS / chart.page).read_text(encoding="utf-8")


def test_every_committed_chart_is_tested() -> None:
    assert {path.stem for path in CHARTS.iterdir()} == {chart.name for chart in ALL}


PAGE = """# Shop

## Other

| mean |
|---|
| 1 |

## Clicks

Text.

| recall@50 | feed | mean |
|---|---|---|
| popularity | 0.1 | 0.169 |
| **dnn** | 0.2 ± 0.1 | **0.441 ± 0.002** |

| another | mean |
|---|---|
| 1 | 2 |
"""


def test_bars_are_the_rows_of_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "DOCS", tmp_path)
    (tmp_path / "shop.md").write_text(PAGE, encoding="utf-8")
    bars = Chart("shop", "shop.md", "Clicks", "mean", "Shop").bars()
    assert bars == [Bar("popularity", 0.169), Bar("dnn", 0.441, 0.002)]


def test_the_longest_bar_fills_the_width_and_others_are_in_proportion() -> None:
    svg = drawing("a < b", [Bar("dnn", 0.2), Bar("adi-se", 0.4, 0.1), Bar("ease", 0.1)])
    assert "a &lt; b" in svg
    assert [f'width="{width}" height="16" fill="{colour}"' in svg for width, colour in BARS] == [True] * 3


BARS = [("160.0", "#9ecae9"), ("320.0", "#4c78a8"), ("80.0", "#bab0ac")]
"""Of 400 units, which are the highest value and its deviation, .5."""
