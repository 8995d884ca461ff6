"""The tabs Feature weights and Bundle."""

import pytest
from playwright.sync_api import expect

CURVE = [
    {"nprobe": probe, "recall": recall, "p50_ms": 0.01 * probe, "p99_ms": 0.02 * probe}
    for probe, recall in ((1, 0.71), (2, 0.9), (4, 0.995))
]


def test_weights_are_shown_by_feature_and_domain(open_window, hostile) -> None:
    window = open_window()
    window.goto(hostile)
    window.page.get_by_role("tab", name="Feature weights").click()
    tables = window.page.get_by_role("tabpanel").get_by_role("table")
    expect(tables).to_have_count(2)
    assert tables.first.locator("tr").all_inner_texts() == [
        "Feature\tsearch\tfeed\tkiosk",
        "age\t0.10\t–\t0.20",
        "langs\t0.90\t0.50\t-0.30",
    ]
    lights = [
        tables.first.locator("td").nth(place).evaluate("element => getComputedStyle(element).backgroundColor")
        for place in (5, 0, 2, 4, 3)  # by weight
    ]
    reds = [int(light.removeprefix("rgb(").split(",")[0]) for light in lights]
    assert reds == sorted(reds, reverse=True)
    assert len(set(reds)) == 5


def test_a_model_without_weights_says_so(open_window, served) -> None:
    window = open_window()
    window.goto(served, "#weights")
    expect(window.page.get_by_role("tabpanel")).to_contain_text("The run of dnn has no weights of features")


def test_the_bundle_is_described(open_window, served, hostile) -> None:
    window = open_window()
    window.goto(served, "#bundle")
    panel = window.page.get_by_role("tabpanel")
    expect(panel).to_contain_text(served.service.bundle().version)
    expect(panel).to_contain_text("The index of search, feed, kiosk is exact")
    expect(panel).to_contain_text("None: the run had not been evaluated when it was exported.")
    rows = panel.get_by_role("table").locator("tbody tr").all_inner_texts()
    items = served.ask("/v1/domains").body["items"]
    assert [row.split("\t")[:3] for row in rows] == [[name, str(count), "exact"] for name, count in items.items()]
    window.goto(hostile, "#bundle")
    metrics = panel.get_by_role("table").nth(1).locator("tr")
    expect(metrics).to_have_text([
        "DomainQueriesCorpusrecall@2recall@5ndcg@2mrr@2", "search1,23490.25000.50000.2000–", "mean0.2500–––"
    ])  # fmt: skip


def test_the_curve_of_an_index_is_drawn(open_window, served) -> None:
    window = open_window()

    def with_curve(route) -> None:
        about = served.ask("/v1/bundle").body
        about["indexes"]["search"] |= {"kind": "ivf", "nlist": 9, "nprobe": 2, "curve": CURVE, "target": 0.88}
        route.fulfill(json=about)

    window.page.route("**/v1/bundle", with_curve)
    window.goto(served, "#bundle")
    about = served.ask("/v1/bundle").body["indexes"]["search"]
    picture = window.page.get_by_role("img", name="search: recall of the top")
    expect(picture).to_have_accessible_name(
        f"search: recall of the top {about['k']} against milliseconds of one query; nprobe 2, recall 0.9000, 0.020 ms"
    )
    points = picture.locator("circle").evaluate_all(
        "all => all.map((point) => [+point.getAttribute('cx'), +point.getAttribute('cy')])"
    )
    assert len(points) == 3
    (first, second, third) = points
    assert first[0] < second[0] < third[0]
    assert first[1] > second[1] > third[1]
    assert (third[0] - second[0]) == pytest.approx(2 * (second[0] - first[0]))
    expect(window.page.get_by_role("tabpanel")).to_contain_text("The index of feed, kiosk is exact")
