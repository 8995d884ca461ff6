"""The page that shows the interface and asks it: all of it, from this server alone."""

import json

import pytest
from playwright.sync_api import expect


@pytest.fixture
def opened(window):
    """A function that opens the page and returns it, with what the browser said of it."""

    def open_page(server, width: int = 1280):
        one = window(width)
        said: list[str] = []
        one.page.on("console", lambda message: said.append(message.text))
        one.goto(server, "docs")
        expect(one.page.locator(".opblock")).not_to_have_count(0)
        return one, said

    return open_page


def asked(page, name: str):
    """An operation, unfolded, with a form to try it."""
    block = page.locator(f"[id$='-{name}']")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    return block


def answer_of(block) -> tuple[str, object]:
    """The status and the body that a form has got."""
    with block.page.expect_response(lambda response: "/docs" not in response.url) as answered:
        block.get_by_role("button", name="Execute").click()
    live = block.locator(".live-responses-table tbody")
    status = live.locator(".response-col_status")
    expect(status).to_have_text(str(answered.value.status))  # it may show an earlier answer until then
    return status.inner_text(), json.loads(live.locator("code").first.inner_text())


def test_it_shows_every_request_and_asks_nobody_else(opened, served) -> None:
    one, said = opened(served)
    shown = {
        f"{block.locator('.opblock-summary-method').inner_text()} {block.locator('.opblock-summary-path').inner_text()}"
        for block in one.page.locator(".opblock").all()
    }
    paths = served.ask("/openapi.json").body["paths"]
    told = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {text.replace("\u200b", "") for text in shown} == told
    one.page.locator("[id$='-retrieve'] .opblock-summary-control").click()
    one.page.get_by_role("tab", name="Schema").first.click()
    expect(one.page.get_by_text("Ids of items to leave out of the lists.")).to_be_visible()
    one.page.wait_for_load_state("networkidle")
    assert said == []  # nothing that the page's policy has refused
    assert any(url.endswith("/openapi.json") for url in one.requests)


def test_a_request_can_be_tried(opened, served) -> None:
    one, _ = opened(served)
    block = asked(one.page, "retrieve")
    body = {"user": "ana", "domains": ["search"], "k": 2}
    block.locator("textarea").fill(json.dumps(body))
    assert answer_of(block) == ("200", served.ask("/v1/retrieve", body).body)


def test_an_example_is_sent_as_it_is_shown(opened, served) -> None:
    one, _ = opened(served)
    block = asked(one.page, "retrieve")
    block.locator(".opblock-section-request-body").get_by_role("combobox").nth(1).select_option(
        "A new user, by history"
    )
    with one.page.expect_request("**/v1/retrieve") as sent:
        assert answer_of(block)[0] == "200"
    assert sent.value.post_data_json == {"history": ["3", "99"], "k": 5}


def test_the_explorer_leads_there_and_its_token_comes_along(window, serving, bundles) -> None:
    server = serving(bundles[0], token="sesame")
    one = window()
    one.goto(server)
    one.page.get_by_label("This server asks for a token").fill("sesame")
    one.page.keyboard.press("Enter")
    expect(one.page.locator("#live")).not_to_be_empty()
    one.page.get_by_role("link", name="The HTTP interface").click()
    assert answer_of(asked(one.page, "domains")) == (
        "200",
        server.ask("/v1/domains", headers={"Authorization": "Bearer sesame"}).body,
    )
    one.page.get_by_role("link", name="What each domain retrieves").click()
    expect(one.page.get_by_role("tab", name="Retrieve")).to_be_visible()


def test_without_its_token_the_page_opens_and_is_refused(opened, serving, bundles) -> None:
    server = serving(bundles[0], token="sesame")
    one, _ = opened(server)
    status, problem = answer_of(asked(one.page, "domains"))
    assert (status, problem["title"]) == ("401", "No access")
    one.page.get_by_role("button", name="Authorize").click()
    one.page.get_by_label("auth-bearer-value").fill("sesame")
    one.page.get_by_role("button", name="Apply credentials").click()
    one.page.get_by_role("button", name="Close").click()
    block = one.page.locator("[id$='-domains']")
    assert answer_of(block)[0] == "200"


def test_it_is_no_wider_than_a_phone(opened, served) -> None:
    one, _ = opened(served, width=390)
    wide, seen = one.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= seen == 390


def test_it_allows_its_own_host_alone(served) -> None:
    page = served.ask("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    assert policy.pop("img-src") == "'self' data:"  # pictures of the library's style sheet
    assert policy["default-src"] == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    for missing in ("no.js", "..%2Fapp.py", "main.py"):
        assert served.ask(f"/docs/{missing}").status == 404
