"""The report in a browser: tables are sorted and saved, charts are saved, the theme stays, phones and keyboards do."""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from adi.report.charts import SHAPES
from adi.report.page import write_report
from browser import FAINT

DOMAINS = [f"domain-{number}" for number in range(7)]


@pytest.fixture(scope="module")
def report(shown_runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    write_report(shown_runs, path)
    return path


@pytest.fixture
def open_report(browser: Browser, report: Path) -> Iterator[Callable[..., Page]]:
    """A function that opens the report. In every test, no script fails, and pictures alone are asked for."""
    errors: list[str] = []
    pages: list[Page] = []

    def opened(width: int = 1280, scheme: Any = "light", path: Path = report) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.route(re.compile("^https?:"), lambda route: route.abort())
        page.on("request", lambda request: None if _is_expected(request.url) else errors.append(request.url))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert errors == []


def _is_expected(url: str) -> bool:
    return url.startswith(("file:", "data:", "blob:", "https://images.example/", "http://cap.example/"))


def column(table: Locator, number: int) -> list[str]:
    return table.locator(f"tbody tr > :nth-child({number + 1})").all_inner_texts()


def test_a_heading_sorts_its_column_both_ways_and_back(open_report) -> None:
    page = open_report()
    table = page.get_by_role("region", name="Data", exact=True).get_by_role("table")
    head = table.get_by_role("columnheader", name="Items")
    first = column(table, 0)
    assert first == ["search", "feed", "kiosk"]
    numbers = dict(zip(first, map(int, column(table, 4)), strict=True))
    expect(head).to_have_attribute("aria-sort", "none")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    assert column(table, 0) == sorted(first, key=lambda name: -numbers[name]) == ["search", "feed", "kiosk"]
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert column(table, 0) == ["kiosk", "feed", "search"]
    table.get_by_role("columnheader", name="Domain").get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "none")
    assert column(table, 0) == ["feed", "kiosk", "search"]
    table.get_by_role("columnheader", name="Domain").get_by_role("button").dblclick()
    assert column(table, 0) == first


def test_a_table_is_saved_as_it_is_shown(open_report, tmp_path) -> None:
    page = open_report()
    region = page.get_by_role("region", name="Data", exact=True)
    region.get_by_role("button", name="Domain").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV: Data", exact=True).press("Enter")
    assert download.value.suggested_filename == "Data.csv"
    download.value.save_as(tmp_path / "data.csv")
    with (tmp_path / "data.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:2] == ["Domain", "Training rows"]
    assert [row[0] for row in rows[1:]] == ["feed", "kiosk", "search"]
    assert {len(row) for row in rows} == {7}


@pytest.mark.parametrize(("kind", "begin"), [("SVG", b"<svg"), ("PNG", b"\x89PNG")])
def test_a_chart_is_saved_as_a_picture(open_report, tmp_path, kind, begin) -> None:
    page = open_report(scheme="dark")
    button = page.get_by_role("button", name=re.compile(f"^Save as {kind}: Recall@4, search"))
    with page.expect_download() as download:
        button.press("Enter")
    assert download.value.suggested_filename == f"Recall@4-search-bars.{kind.lower()}"
    download.value.save_as(tmp_path / "chart")
    assert (tmp_path / "chart").read_bytes().startswith(begin)


def test_the_theme_is_the_systems_until_another_is_chosen_which_stays(open_report) -> None:
    def paper(page: Page) -> list[str]:
        """The colours behind the page and behind its first chart."""
        expect(page.locator("figure svg").first).to_be_visible()
        return [
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
            page.locator("figure svg").first.evaluate("svg => getComputedStyle(svg).backgroundColor"),
        ]

    light, dark = ["rgb(255, 255, 255)"] * 2, ["rgb(13, 17, 23)"] * 2
    assert paper(open_report()) == light
    page = open_report(scheme="dark")
    assert paper(page) == dark
    page.get_by_label("Theme").select_option("Light")
    page.wait_for_function("getComputedStyle(document.querySelector('figure svg')).backgroundColor.includes('255')")
    assert paper(page) == light
    page.reload()
    assert paper(page) == light
    expect(page.get_by_label("Theme")).to_have_value("light")


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_page(open_report, ranked_run, tmp_path, width) -> None:
    queries = {domain: [(user, user % 3 * 40) for user in range(60)] for domain in DOMAINS}
    runs = [ranked_run("one", queries, model="one"), ranked_run("two", queries, model="two", parameters=None)]
    write_report(runs, tmp_path / "report.html")
    for path in (tmp_path / "report.html", None):
        page = open_report(width) if path is None else open_report(width, path=path)
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true; }")
        expect(page.locator("figure svg").first).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide == width
    boxes = [figure.bounding_box() for figure in page.locator("figure").all()[:4]]
    in_a_row = len({box["y"] for box in boxes})
    assert in_a_row == {390: 4, 768: 2, 1280: 1}[width]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(open_report, scheme) -> None:
    page = open_report(scheme=scheme)
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true; }")
    faint = page.evaluate(FAINT)
    assert [text for text in faint if text[0] not in SHAPES.values()] == []  # a legend's shapes are no texts


def test_pictures_that_do_not_load_leave_no_hole(open_report) -> None:
    page = open_report()
    page.get_by_role("heading", name="Examples").scroll_into_view_if_needed()
    expect(page.locator(".shown", has_text="A <b>pen</b> & ink").first).to_be_visible()
    expect(page.locator(".example img:visible")).to_have_count(0)
