"""The page as a whole: addresses, the token, data that is never markup, small windows, contrast, the keyboard."""

import pytest
from playwright.sync_api import expect

from browser import FAINT


def test_the_policy_allows_only_the_own_host(served) -> None:
    page = served.ask("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert all(rule.endswith((" 'self'", " 'none'")) for rule in policy)
    assert served.ask("/explorer/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
    for missing in ("no.js", "..%2Fapp.py", "%2e%2e%2fapp.py", ""):
        assert served.ask(f"/explorer/{missing}").status == 404


def test_views_have_addresses_and_history(open_window, served, top) -> None:
    window = open_window()
    window.goto(served)
    user = window.page.get_by_label("User id")
    for name in ("ana", "bo b"):
        user.fill(name)
        user.press("Enter")
        expect(window.page.get_by_role("status")).to_contain_text(f"User {name}: ")
    shared = open_window()
    shared.page.goto(window.page.url)
    expect(shared.page.get_by_role("status")).to_contain_text("User bo b: ")
    assert shared.lists() == window.lists() == top(served, {"user": "bo b"})
    window.page.get_by_role("tab", name="Bundle").click()
    expect(window.page.get_by_role("tabpanel", name="Bundle")).to_be_visible()
    window.page.go_back()
    expect(user).to_have_value("bo b")
    window.page.go_back()
    expect(user).to_have_value("ana")
    expect(window.page.get_by_role("status")).to_contain_text("User ana: ")
    assert window.lists() == top(served, {"user": "ana"})


def test_ids_that_look_like_markup_are_text(open_window, hostile, top, markup) -> None:
    window = open_window()
    window.goto(hostile)
    window.page.get_by_label("User id").press_sequentially("<im")
    option = window.page.get_by_role("option")
    expect(option).to_have_text([markup])
    option.click()
    window.answered()
    assert window.lists() == top(hostile, {"user": markup})
    assert markup in window.page.locator(".event button.id").all_inner_texts()
    window.page.get_by_label("A new user, by history").check()
    window.page.get_by_label("Item ids, oldest first").press_sequentially("<im")
    window.page.get_by_role("option").click()
    expect(window.page.locator("#chips .id")).to_have_text([markup])
    window.page.get_by_role("button", name="Retrieve").click()
    expect(window.page.get_by_role("status")).to_contain_text("A new user: ")
    window.answered()
    assert window.lists() == top(hostile, {"history": [markup]})
    window.goto(hostile, "#retrieve?history=mug&k=20")
    expect(window.page.get_by_role("button", name=markup, exact=True)).not_to_have_count(0)
    expect(window.page.locator("dd", has_text=markup)).not_to_have_count(0)
    assert window.page.locator("#results img").count() == 0
    assert window.page.title() == "adi: what each domain retrieves"


def test_the_page_asks_for_the_token_when_the_server_does(open_window, serving, bundles) -> None:
    server = serving(bundles[0], token="sesame")
    window = open_window()
    window.goto(server, "#retrieve?user=ana")
    box = window.page.get_by_label("This server asks for a token")
    expect(box).to_be_focused()
    box.fill("open")
    box.press("Enter")
    expect(window.page.locator("#token-error")).to_have_text("The server does not take this token.")
    box.fill("sesame")
    box.press("Enter")
    window.answered()
    expect(box).to_be_hidden()
    assert not any("sesame" in url for url in [*window.requests, window.page.url])


def test_the_page_asks_for_no_token_without_need(open_window, served) -> None:
    window = open_window()
    window.goto(served, "#retrieve?user=ana")
    window.answered()
    expect(window.page.get_by_label("This server asks for a token")).to_be_hidden()


@pytest.mark.parametrize(
    "fragment", ["", "#retrieve?user=ana", "#retrieve?history=pen&history=mug", "#weights", "#bundle"]
)
def test_nothing_is_wider_than_a_phone(open_window, served, hostile, fragment) -> None:
    for server in (served, hostile):
        window = open_window(width=390)
        window.goto(server, fragment)
        expect(window.page.locator("#live")).not_to_be_empty()
        window.page.wait_for_load_state("networkidle")
        wide, seen = window.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= seen == 390


def test_domains_that_do_not_fit_side_by_side_go_on_below(open_window, served) -> None:
    window = open_window(width=700)
    window.goto(served, "#retrieve?user=ana")
    window.answered()
    boxes = [card.bounding_box() for card in window.page.locator("#results .card").all()]
    assert len(boxes) == 3
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 700 for box in boxes)
    assert len({box["y"] for box in boxes}) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(open_window, hostile, scheme) -> None:
    window = open_window(scheme=scheme)
    for fragment, shown in (
        ("#retrieve?history=mug&k=20", ".card .item button"),
        ("#retrieve?user=nobody", "#who-error"),
        ("#weights", ".heat td"),
        ("#bundle", ".facts dd"),
    ):
        window.goto(hostile, fragment)
        expect(window.page.locator(shown).first).to_be_visible()
        if "button" in shown:
            window.page.locator(shown).first.focus()
            expect(window.page.locator(".same").first).to_be_visible()
        assert window.page.evaluate(FAINT) == []


def test_the_keyboard_reaches_the_result(open_window, served) -> None:
    window = open_window()
    window.goto(served)
    expect(window.page.locator("#live")).not_to_be_empty()
    focused = window.page.locator(":focus")

    def tab_to(selector: str) -> None:
        for _ in range(60):
            window.page.keyboard.press("Tab")
            if focused.evaluate("(element, selector) => element.matches(selector)", selector):
                return
        pytest.fail(f"60 tabs, and {selector} has not had the focus")

    tab_to("#user")
    window.page.keyboard.type("ana")
    window.page.keyboard.press("Enter")
    window.answered()
    tab_to(".card .item button")
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    window.page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-pressed", "true")
    window.page.get_by_role("tab", name="Retrieve").focus()
    window.page.keyboard.press("ArrowRight")
    expect(window.page.get_by_role("tab", name="Trending")).to_be_focused()
    expect(window.page.get_by_role("tabpanel", name="Trending")).to_be_visible()
