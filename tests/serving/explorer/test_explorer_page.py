"""The page as a whole: addresses, the token, data that is never markup, small windows, contrast, the keyboard."""

import pytest
from playwright.sync_api import expect

FAINT = """() => {
  const channel = (v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = (rgb) => .2126 * channel(rgb[0]) + .7152 * channel(rgb[1]) + .0722 * channel(rgb[2]);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const under = (one) => {
    for (; one; one = one.parentElement) {
      const colour = numbers(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !one.checkVisibility() || one.closest("svg, noscript")) continue;
    const both = [light(numbers(getComputedStyle(one).color)), light(under(one))].sort((a, b) => b - a);
    const ratio = (both[0] + .05) / (both[1] + .05);
    if (ratio < 4.5) faint.push(`${text}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""
"""The texts whose contrast with what is behind them is below 4.5, as WCAG's level AA asks for."""


def test_the_page_allows_its_own_host_alone(served) -> None:
    page = served.ask("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert all(rule.endswith((" 'self'", " 'none'")) for rule in policy)
    assert served.ask("/explorer/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
    for missing in ("no.js", "..%2Fapp.py", "%2e%2e%2fapp.py", ""):
        assert served.ask(f"/explorer/{missing}").status == 404


def test_a_view_has_an_address_and_back_goes_to_the_one_before(window, served, top) -> None:
    one = window()
    one.goto(served)
    user = one.page.get_by_label("User id")
    for name in ("ana", "bo b"):
        user.fill(name)
        user.press("Enter")
        expect(one.page.get_by_role("status")).to_contain_text(f"User {name}: ")
    shared = window()
    shared.page.goto(one.page.url)
    expect(shared.page.get_by_role("status")).to_contain_text("User bo b: ")
    assert shared.lists() == one.lists() == top(served, {"user": "bo b"})
    one.page.get_by_role("tab", name="Bundle").click()
    expect(one.page.get_by_role("tabpanel", name="Bundle")).to_be_visible()
    one.page.go_back()
    expect(user).to_have_value("bo b")
    one.page.go_back()
    expect(user).to_have_value("ana")
    expect(one.page.get_by_role("status")).to_contain_text("User ana: ")
    assert one.lists() == top(served, {"user": "ana"})


def test_ids_that_look_like_markup_are_text(window, hostile, top, markup) -> None:
    one = window()
    one.goto(hostile)
    one.page.get_by_label("User id").press_sequentially("<im")
    option = one.page.get_by_role("option")
    expect(option).to_have_text([markup])
    option.click()
    one.answered()
    assert one.lists() == top(hostile, {"user": markup})
    assert markup in one.page.locator(".event button.id").all_inner_texts()
    one.page.get_by_label("A new user, by history").check()
    one.page.get_by_label("Item ids, oldest first").press_sequentially("<im")
    one.page.get_by_role("option").click()
    expect(one.page.locator("#chips .id")).to_have_text([markup])
    one.page.get_by_role("button", name="Retrieve").click()
    expect(one.page.get_by_role("status")).to_contain_text("A new user: ")
    one.answered()
    assert one.lists() == top(hostile, {"history": [markup]})
    one.goto(hostile, "#retrieve?history=mug&k=20")
    expect(one.page.get_by_role("button", name=markup, exact=True)).not_to_have_count(0)
    expect(one.page.locator("dd", has_text=markup)).not_to_have_count(0)
    assert one.page.locator("#results img").count() == 0
    assert one.page.title() == "adi: what each domain retrieves"


def test_the_token_is_asked_for_when_the_server_does(window, serving, bundles) -> None:
    server = serving(bundles[0], token="sesame")
    one = window()
    one.goto(server, "#retrieve?user=ana")
    box = one.page.get_by_label("This server asks for a token")
    expect(box).to_be_focused()
    box.fill("open")
    box.press("Enter")
    expect(one.page.locator("#token-error")).to_have_text("The server does not take this token.")
    box.fill("sesame")
    box.press("Enter")
    one.answered()
    expect(box).to_be_hidden()
    assert not any("sesame" in url for url in [*one.requests, one.page.url])


def test_no_token_is_asked_for_where_none_is_needed(window, served) -> None:
    one = window()
    one.goto(served, "#retrieve?user=ana")
    one.answered()
    expect(one.page.get_by_label("This server asks for a token")).to_be_hidden()


@pytest.mark.parametrize(
    "fragment", ["", "#retrieve?user=ana", "#retrieve?history=pen&history=mug", "#weights", "#bundle"]
)
def test_nothing_is_wider_than_a_phone(window, served, hostile, fragment) -> None:
    for server in (served, hostile):
        one = window(width=390)
        one.goto(server, fragment)
        expect(one.page.locator("#live")).not_to_be_empty()
        one.page.wait_for_load_state("networkidle")
        wide, seen = one.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= seen == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(window, hostile, scheme) -> None:
    one = window(scheme=scheme)
    for fragment, shown in (
        ("#retrieve?history=mug&k=20", ".card .item button"),
        ("#retrieve?user=nobody", "#who-error"),
        ("#weights", ".heat td"),
        ("#bundle", ".facts dd"),
    ):
        one.goto(hostile, fragment)
        expect(one.page.locator(shown).first).to_be_visible()
        if "button" in shown:
            one.page.locator(shown).first.focus()
            expect(one.page.locator(".same").first).to_be_visible()
        assert one.page.evaluate(FAINT) == []


def test_the_keyboard_reaches_the_result(window, served) -> None:
    one = window()
    one.goto(served)
    expect(one.page.locator("#live")).not_to_be_empty()
    focused = one.page.locator(":focus")

    def tab_to(selector: str) -> None:
        for _ in range(60):
            one.page.keyboard.press("Tab")
            if focused.evaluate("(one, selector) => one.matches(selector)", selector):
                return
        pytest.fail(f"60 tabs, and {selector} has not had the focus")

    tab_to("#user")
    one.page.keyboard.type("ana")
    one.page.keyboard.press("Enter")
    one.answered()
    tab_to(".card .item button")
    assert focused.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    one.page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-pressed", "true")
    one.page.get_by_role("tab", name="Retrieve").focus()
    one.page.keyboard.press("ArrowRight")
    expect(one.page.get_by_role("tab", name="Feature weights")).to_be_focused()
    expect(one.page.get_by_role("tabpanel", name="Feature weights")).to_be_visible()
