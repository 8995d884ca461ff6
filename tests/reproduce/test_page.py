"""The report: our numbers beside the paper's, by hand, and a page that asks nothing of anybody."""

import re

import pytest

from adi.evaluation.groups import Group
from adi.report.elements import Figures
from adi.reproduce.datasets import DATASETS
from adi.reproduce.orderings import orderings_of
from adi.reproduce.paper import Published
from adi.reproduce.results import Outcome, Results
from adi.reproduce.sections import methods
from adi.reproduce.tables import Row, Table
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
        return Group(label=label, runs=tuple(runs))

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


def test_a_data_set_says_what_its_test_is(html) -> None:
    assert f'<h3 id="t-marketplace">marketplace</h3><p>{DATASETS["marketplace"].about}</p>' in html


def test_ours_and_the_papers_stand_side_by_side(html) -> None:
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
    assert "C is not here: it is too large." in html
    assert "Not run: D." in html


def test_the_order_is_told_for_each_form_of_adi(html) -> None:
    assert "<h4>The order of methods, with ADI&#x27;s default form</h4>" in html
    ours, literal = html.split("<h4>")[1:]
    assert "Of 1 pairs of methods" not in ours  # one is not plural
    assert "0 in the reverse" in ours
    assert "1 in the reverse" in literal
    assert "Kendall&#x27;s tau +1.00" in ours
    assert "Kendall&#x27;s tau -1.00" in literal
    assert "✗ B is above A, by 0.2500 (" in literal
    assert "in the paper it is below, by 0.1000." in literal
    (row,) = [row for row in rows_of(literal) if row[0] == "A above B"]
    assert row[1:3] == ["+0.1000", "-0.2500"]
    assert row[4] == "✗ disagrees"


def test_the_whole_page(finished) -> None:
    page = (finished / "report.html").read_text()
    assert "A first look." in page
    assert re.search(r'<h2 id="table6">.*<h3 id="table6-marketplace">', page, flags=re.DOTALL)
    assert {"0.4567", "0.4023", "*0.4683"} <= {cell for row in rows_of(page) for cell in row}
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors >= {"table6", "table6-marketplace", "figure5", "provenance"}
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))
    assert not re.search(r'(src|href)="(?!#)', page.split("<script>")[0])
    places = re.findall(r'<figure class="chart" id="([^"]+)"', page)
    assert len(places) == 4 + 2 * 2 * 2  # the mean and three domains; weights and falls of two models, two sides
    assert ["Correlation of weight and fall", "Features", "search", "feed", "cart"] in rows_of(page)
    assert ["marketplace / adi-va", "0", "done"] in [row[:3] for row in rows_of(page)]
