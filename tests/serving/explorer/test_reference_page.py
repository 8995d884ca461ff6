"""The reference page: shows the whole HTTP interface and sends requests, using this server only."""

import json

import pytest
from playwright.sync_api import expect


@pytest.fixture
def open_reference(open_window):
    """A function that opens the page and returns its window, with the messages on the console."""

    def open_page(server, width: int = 1280):
        window = open_window(width)
        console: list[str] = []
        window.page.on("console", lambda message: console.append(message.text))
        window.goto(server, "docs")
        expect(window.page.locator(".opblock")).not_to_have_count(0)
        return window, console

    return open_page


def form_of(page, name: str):
    """The unfolded form of an operation."""
    block = page.locator(f"[id$='-{name}']")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    return block


def send(block) -> tuple[str, object]:
    """Send a form and return the status and body that the page shows."""
    with block.page.expect_response(lambda each: "/docs" not in each.url) as response:
        block.get_by_role("button", name="Execute").click()
    live = block.locator(".live-responses-table tbody")
    status = live.locator(".response-col_status")
    expect(status).to_have_text(str(response.value.status))  # until then it may show an earlier answer
    return status.inner_text(), json.loads(live.locator("code").first.inner_text())


def test_it_shows_every_operation_and_loads_only_from_this_server(open_reference, served) -> None:
    window, console = open_reference(served)
    shown = {
        f"{block.locator('.opblock-summary-method').inner_text()} {block.locator('.opblock-summary-path').inner_text()}"
        for block in window.page.locator(".opblock").all()
    }
    paths = served.ask("/openapi.json").body["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {text.replace("\u200b", "") for text in shown} == operations
    window.page.locator("[id$='-retrieve'] .opblock-summary-control").click()
    window.page.get_by_role("tab", name="Schema").first.click()
    expect(window.page.get_by_text("Ids of items to leave out of the lists.")).to_be_visible()
    window.page.wait_for_load_state("networkidle")
    assert console == []  # the policy refused nothing
    assert any(url.endswith("/openapi.json") for url in window.requests)


def test_a_request_can_be_tried(open_reference, served) -> None:
    window, _ = open_reference(served)
    block = form_of(window.page, "retrieve")
    body = {"user": "ana", "domains": ["search"], "k": 2}
    block.locator("textarea").fill(json.dumps(body))
    assert send(block) == ("200", served.ask("/v1/retrieve", body).body)


def test_an_example_is_sent_as_it_is_shown(open_reference, served) -> None:
    window, _ = open_reference(served)
    block = form_of(window.page, "retrieve")
    block.locator(".opblock-section-request-body").get_by_role("combobox").nth(1).select_option(
        "A new user, by history"
    )
    with window.page.expect_request("**/v1/retrieve") as sent:
        assert send(block)[0] == "200"
    assert sent.value.post_data_json == {"history": ["3", "99"], "k": 5}


def test_the_explorer_links_to_it_and_passes_its_token(open_window, serving, bundles) -> None:
    server = serving(bundles[0], token="sesame")
    window = open_window()
    window.goto(server)
    window.page.get_by_label("This server asks for a token").fill("sesame")
    window.page.keyboard.press("Enter")
    expect(window.page.locator("#live")).not_to_be_empty()
    window.page.get_by_role("link", name="The HTTP interface").click()
    assert send(form_of(window.page, "domains")) == (
        "200",
        server.ask("/v1/domains", headers={"Authorization": "Bearer sesame"}).body,
    )
    window.page.get_by_role("link", name="What each domain retrieves").click()
    expect(window.page.get_by_role("tab", name="Retrieve")).to_be_visible()


def test_without_a_token_the_page_opens_and_requests_are_refused(open_reference, serving, bundles) -> None:
    server = serving(bundles[0], token="sesame")
    window, _ = open_reference(server)
    status, problem = send(form_of(window.page, "domains"))
    assert (status, problem["title"]) == ("401", "Unauthorized")
    window.page.get_by_role("button", name="Authorize").click()
    window.page.get_by_label("auth-bearer-value").fill("sesame")
    window.page.get_by_role("button", name="Apply credentials").click()
    window.page.get_by_role("button", name="Close").click()
    block = window.page.locator("[id$='-domains']")
    assert send(block)[0] == "200"


def test_it_is_no_wider_than_a_phone(open_reference, served) -> None:
    window, _ = open_reference(served, width=390)
    wide, seen = window.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= seen == 390


def test_its_policy_allows_only_the_own_host(served) -> None:
    page = served.ask("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy.pop("img-src") == "'self' data:"  # for pictures in the library's style sheet
    assert policy["default-src"] == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    for missing in ("no.js", "..%2Fapp.py", "main.py"):
        assert served.ask(f"/docs/{missing}").status == 404
