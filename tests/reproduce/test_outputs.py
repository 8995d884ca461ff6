"""The report: our numbers beside the paper's by hand, courses of curves in words, and a self-contained page."""

import re
from html import escape

import pytest

from adi.report.elements import Figures
from adi.reproduce.datasets import DATASETS
from adi.reproduce.orderings import orderings_of
from adi.reproduce.paper import Published
from adi.reproduce.results import Outcome, Results
from adi.reproduce.sections import course, methods
from adi.reproduce.tables import Row, Table
from adi.runs.groups import Estimate, RunGroup
from adi.runs.run import read_run

PUBLISHED = Published("Recall@9", "their data", ("D1", "D2"), {"A": (0.9, 0.7), "B": (0.6, 0.8)})
ROWS = (
    Row("popularity", "popularity", family="baseline"),
    Row("A, ours", "adi-se", method="A", family="adi", form="ours"),
    Row("A, literal", "adi-paper", method="A", family="adi", form="literal"),
    Row("B <b>", "dnn", method="B"),
    Row("C", "ease", absent={"marketplace": "it is too large"}),
    Row("D", "mind"),
)
TABLE = Table("t", "Table 0: tries", "Just tries.", ("marketplace",), ROWS, published=PUBLISHED)


def rows_of(html):
    plain = re.sub(r"</?span[^>]*>", "", html).replace("<strong>", "*").replace("</strong>", "")
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in re.findall(r"<tr>(.*?)</tr>", plain)]


@pytest.fixture
def results(ranked_run):
    def group(label, *hits, parameters=1234):
        runs = []
        for seed, (search, feed) in enumerate(hits):
            queries = {
                "search": [(user, 0.0 if user < search else 99.0) for user in range(100)],
                "feed": [(user, 0.0 if user < feed else 99.0) for user in range(50)],
            }
            runs.append(read_run(ranked_run(f"{label}-{seed}", queries, seed=seed, parameters=parameters)))
        return RunGroup(label=label, runs=tuple(runs))

    outcomes = (
        Outcome(ROWS[0], group("popularity", (20, 10), parameters=None)),
        Outcome(ROWS[1], group("ours", (60, 20), (80, 20))),
        Outcome(ROWS[2], group("literal", (30, 10), (30, 10))),
        Outcome(ROWS[3], group("dnn", (50, 25), (50, 25))),
        Outcome(ROWS[5], None),
    )
    return Results(TABLE, "marketplace", ("search", "feed"), outcomes)


@pytest.fixture
def html(results):
    return methods([results], {results.name: orderings_of(results)}, Figures())


def test_a_data_set_has_its_description(html) -> None:
    assert f'<h3 id="t-marketplace">marketplace</h3><p>{escape(DATASETS["marketplace"].about)}</p>' in html


def test_our_numbers_are_beside_the_papers(html) -> None:
    rows = rows_of(html)
    assert rows[0] == ["", "Recall@50 here, marketplace", "", "The paper&#x27;s Recall@9, their data"]
    assert rows[1] == ["Method", "search", "feed", "Mean", "Parameters", "D1", "D2", "Mean"]
    assert rows[2:7] == [
        ["popularity", "0.2000", "0.2000", "0.2000", "–", "", "", ""],
        ["A, ours", "*0.7000 ± 0.1414", "0.4000 ± 0.0000", "*0.5500 ± 0.0707", "1,234", "*0.9000", "0.7000", "*0.8000"],
        [
            "A, literal",
            "0.3000 ± 0.0000",
            "0.2000 ± 0.0000",
            "0.2500 ± 0.0000",
            "1,234",
            "*0.9000",
            "0.7000",
            "*0.8000",
        ],
        [
            "B &lt;b&gt;",
            "0.5000 ± 0.0000",
            "*0.5000 ± 0.0000",
            "0.5000 ± 0.0000",
            "1,234",
            "0.6000",
            "*0.8000",
            "0.7000",
        ],
        ["D", "–", "–", "–", "–", "", "", ""],
    ]
    assert "± is the standard deviation over 2 seeds" in html
    assert "C is left out: it is too large." in html
    assert "Not run: D." in html


def test_each_form_of_adi_has_its_ordering(html) -> None:
    assert "<h4>The order of methods, with ADI&#x27;s default form</h4>" in html
    ours, literal = html.split("<h4>")[1:]
    assert "Of 1 pairs of methods" not in ours  # the singular
    assert "0 in reverse order" in ours
    assert "1 in reverse order" in literal
    assert "Kendall&#x27;s tau +1.00" in ours
    assert "Kendall&#x27;s tau -1.00" in literal
    assert "✗ B is above A, by 0.2500 (" in literal
    assert "in the paper it is below, by 0.1000." in literal
    (row,) = [row for row in rows_of(literal) if row[0] == "A above B"]
    assert row[1:3] == ["+0.1000", "-0.2500"]
    assert row[4] == "✗ disagrees"


def points(*means, spread=0.01):
    return {count: Estimate(mean, spread) for count, mean in enumerate(means, 1)}


@pytest.mark.parametrize(
    ("means", "words"),
    [
        ((0.50, 0.53, 0.55), "rises from 0.5000 at K = 1 to 0.5500 at K = 3"),
        ((0.50, 0.56, 0.52), "rises, then falls, from 0.5000 at K = 1 to 0.5600 at K = 2 and 0.5200 at K = 3"),
        ((0.55, 0.56, 0.52), "falls from 0.5500 at K = 1 to 0.5200 at K = 3"),
        ((0.55, 0.50, 0.56), "falls, then rises, from 0.5500 at K = 1 to 0.5000 at K = 2 and 0.5600 at K = 3"),
        (
            (0.50, 0.51, 0.515),
            "neither rises nor falls by more than its spread, from 0.5000 at K = 1 to 0.5150 at K = 3",
        ),
    ],
)
def test_course(means, words) -> None:
    assert course(points(*means)) == words


def test_a_course_takes_two_points_in_the_order_of_k() -> None:
    assert course({1: Estimate(0.5), 2: Estimate(None)}) == "has fewer than two points"
    assert course({3: Estimate(0.5), 1: Estimate(0.4)}) == "rises from 0.4000 at K = 1 to 0.5000 at K = 3"


def test_the_page(finished) -> None:
    page = (finished / "report.html").read_text()
    assert "A quick look." in page
    assert re.search(r'<h2 id="table6">.*<h3 id="table6-marketplace">', page, flags=re.DOTALL)
    assert {"0.4567", "0.4023", "*0.4683"} <= {cell for row in rows_of(page) for cell in row}
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors >= {"table6", "table6-marketplace", "figure5", "provenance"}
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))
    assert not re.search(r'(src|href)="(?!#)', page.split("<script>")[0])
    charts = re.findall(r'<figure class="chart" id="([^"]+)"', page)
    assert len(charts) == 4 + 2 * 2 * 2  # the mean and three domains; weights and falls of two models, two sides
    assert ["Correlation of weight and fall", "Features", "search", "feed", "cart"] in rows_of(page)
    assert ["marketplace / adi-va", "0", "done"] in [row[:3] for row in rows_of(page)]
