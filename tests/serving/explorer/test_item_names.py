"""Items as people know them: their titles and pictures, and the pictures' hosts in the page's policy."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

import small
from adi.exporting.export import export
from adi.training.train import train

SETTINGS = {**small.SMALL, "blend": False}
PIXEL = (
    b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9' fill='#00f'/></svg>"
)  # fmt: skip


@pytest.fixture(scope="module")
def named(displayed: Path, tmp_path_factory: pytest.TempPathFactory, serving):
    """A server of a bundle with titles and pictures."""
    folder = tmp_path_factory.mktemp("named")
    train(displayed, "dnn", folder / "run", settings=SETTINGS, progress=False)
    export(folder / "run", folder / "bundle", progress=False)
    return serving(folder / "bundle")


def test_the_policy_has_the_hosts_of_the_pictures(named, served) -> None:
    policy = named.ask("/").headers["content-security-policy"].split("; ")
    assert "img-src 'self' http://cap.example https://images.example" in policy
    assert "connect-src 'self'" in policy
    assert "img-src 'self'" in served.ask("/").headers["content-security-policy"].split("; ")
    assert "example" not in named.ask("/docs").headers["content-security-policy"]
    assert named.ask("/v1/bundle").body["display"] == {"title": "title", "image": "image"}
    assert served.ask("/v1/bundle").body["display"] is None


def test_an_item_has_its_title_picture_and_id(open_window, named) -> None:
    window = open_window()
    asked: list[str] = []

    def picture(route) -> None:
        asked.append(route.request.url)
        if "cap" in route.request.url:
            route.abort()
        else:
            route.fulfill(body=PIXEL, content_type="image/svg+xml")

    window.pictures = ("http://cap.example/", "https://images.example/")
    window.page.route(re.compile(r"example/"), picture)
    window.goto(named, "#retrieve?history=jar&k=20")
    window.answered()
    rows = window.page.locator(".card").first.locator(".item")
    pen = rows.filter(has_text="A <b>pen</b> & ink")
    expect(pen.get_by_role("button")).to_have_text("A <b>pen</b> & ink")
    expect(pen.locator(".key")).to_have_text("pen")
    expect(pen.locator("dt")).to_have_text(["price", "tags", "bid"])  # title and image are not repeated
    pen.scroll_into_view_if_needed()
    expect(pen.locator("img")).to_have_js_property("naturalWidth", 9)
    expect(rows.filter(has_text="Mug").locator("img")).to_have_count(0)  # its picture is no address
    bag = rows.filter(has=window.page.get_by_role("button", name="bag", exact=True))
    expect(bag.locator(".key")).to_have_count(0)
    expect(rows.filter(has=window.page.get_by_role("button", name="cap", exact=True)).locator("img")).to_have_count(0)
    assert "https://images.example/pen.png?size=1&x=2" in asked
    assert not any("alert" in url for url in asked)
    window.goto(named, "#retrieve?user=ana")
    window.answered()
    expect(window.page.locator(".event", has_text="A <b>pen</b> & ink").first).to_be_visible()


def test_a_host_that_is_not_in_the_policy_is_not_asked(open_window, named) -> None:
    window = open_window()

    def with_another_host(route) -> None:
        body = named.ask("/v1/items", route.request.post_data_json).body
        for attributes in body["items"].values():
            attributes["image"] = "https://elsewhere.example/x.png"
        route.fulfill(json=body)

    refused: list[tuple[str, str | None]] = []
    window.page.on("requestfailed", lambda request: refused.append((request.url, request.failure)))
    window.page.route("**/v1/items", with_another_host)
    window.pictures = ("https://elsewhere.example/",)
    with window.page.expect_event("requestfailed"):
        window.goto(named, "#retrieve?history=jar")
        window.answered()
    expect(window.page.locator(".item img")).to_have_count(0)  # refused by the browser, and removed
    assert {*refused} == {("https://elsewhere.example/x.png", "csp")}
