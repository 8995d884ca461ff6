"""The tab Trending, and the division of scores into taste and trend."""

import pytest
from playwright.sync_api import expect

from adi.serving import click_feed
from adi.serving.app import create_app
from adi.serving.events import Clicked
from adi.serving.metrics import Metrics
from adi.serving.service import Service


@pytest.fixture
def live(trending_bundle, clock):
    clock.now = 33_000.0
    return Service(trending_bundle, Metrics(), clock=clock)


@pytest.fixture
def server(live, listen):
    return listen(create_app(live), live)


def trending_items(server, half_life="600"):
    """The items that the API has for each domain."""
    answers = [server.ask(f"/v1/trending?domain={name}&half_life={half_life}").body for name in ("big", "small")]
    return {answer["domain"]: [each["item"] for each in answer["items"]] for answer in answers}


def test_each_domain_has_its_list_and_a_half_life_is_chosen(open_window, server) -> None:
    window = open_window()
    window.goto(server)
    window.page.get_by_role("tab", name="Trending").click()
    panel = window.page.get_by_role("tabpanel", name="Trending")
    expect(panel.locator(".card")).to_have_count(2)
    assert window.lists() == trending_items(server)
    (top,) = server.ask("/v1/trending?domain=big&k=1").body["items"]
    row = panel.locator(".item").first
    expect(row.locator(".score")).to_have_text(f"share of clicks {100 * top['share']:.1f} %")
    window.page.get_by_label("Half-life of a click").select_option("3600")
    expect(window.page).to_have_url(f"http://127.0.0.1:{server.port}/#trending?half_life=3600")
    expect(window.page.locator("#trending-status")).to_contain_text("A click counts half after 3600")
    assert window.lists() == trending_items(server, "3600")


def test_it_follows_clicks_while_it_is_open(open_window, server, live, clock) -> None:
    window = open_window()
    window.page.clock.install()
    window.goto(server, "#trending")
    panel = window.page.get_by_role("tabpanel", name="Trending")
    small = panel.locator(".card").nth(1)
    expect(small.locator(".item")).not_to_have_count(0)
    pressed = small.locator("button.id").first
    name = pressed.inner_text()
    pressed.click()
    new = next(f"i{number}" for number in range(24) if f"i{number}" not in trending_items(server)["small"][:2])
    for second in range(20):
        live.events.add("u1", [(new, "small")], [Clicked(33_000.0 + second)])
    clock.now = 33_100.0
    live.refresh_trends()
    window.page.clock.run_for(3000)
    expect(small.locator("button.id").first).to_have_text(new)
    again = small.get_by_role("button", name=name, exact=True)
    expect(again).to_be_focused()
    expect(again).to_have_attribute("aria-pressed", "true")
    window.page.get_by_role("tab", name="Bundle").click()
    expect(window.page.get_by_role("tabpanel", name="Bundle")).to_contain_text("Indexes")
    asked = len(window.requests)
    window.page.clock.run_for(9000)
    assert len(window.requests) == asked


def test_a_bundle_without_trends_says_so(open_window, served) -> None:
    window = open_window()
    window.goto(served, "#trending")
    panel = window.page.get_by_role("tabpanel", name="Trending")
    expect(panel).to_contain_text("The bundle of dnn has no trends")
    expect(panel.get_by_label("Half-life of a click")).to_be_hidden()
    window.goto(served, "#retrieve?user=ana")
    window.answered()
    legend = window.page.locator(".legend li")
    expect(legend).to_have_text(["taste", "similar or next items"])


def test_each_score_is_divided_into_its_parts(open_window, server) -> None:
    window = open_window()
    window.goto(server, "#retrieve?history=i1&history=i5&k=6")
    cards = window.page.locator("#results .card")
    expect(cards).to_have_count(2)
    expect(window.page.get_by_role("list", name="Parts of a score").locator("li")).to_have_text(
        ["taste", "trend", "co-clicks"]
    )
    request = {"history": ["i1", "i5"], "k": 6, "explain": True}
    (result,) = server.ask("/v1/retrieve", request).body["results"]
    for number, ranked in enumerate(result["domains"].values()):
        bars = cards.nth(number).get_by_role("img")
        expect(bars).to_have_count(len(ranked["items"]))
        for place, score in enumerate(ranked["scores"]):
            parts = [ranked["parts"][name][place] for name in ("taste", "trend", "co_clicks")]
            words = "taste {:.3f}, trend {:.3f}, co-clicks {:.3f}".format(*parts)
            expect(bars.nth(place)).to_have_accessible_name(f"Of the score {score:.3f}: {words}")
        widths = bars.first.locator("rect:not(.room)").evaluate_all(
            "all => all.map((one) => +one.getAttribute('width'))"
        )
        ratio = widths[1] / widths[0]
        first = {name: values[0] for name, values in ranked["parts"].items()}
        assert ratio == pytest.approx(abs(first["trend"] / first["taste"]), rel=1e-3)
    values = window.page.locator(".part-values").first
    expect(values).to_be_hidden()
    cards.first.locator("button.id").first.click()
    expect(values).to_be_visible()


def test_lists_without_trends_say_so(open_window, server, live, monkeypatch) -> None:
    monkeypatch.setattr(click_feed, "GRACE", -1.0)  # as if no source of clicks had answered for longer than that
    live.refresh_trends()
    window = open_window()
    window.goto(server, "#retrieve?history=i1")
    expect(window.page.locator(".warning")).to_contain_text("Without trends")
    expect(window.page.locator(".bar")).to_have_count(0)
    window.goto(server, "#trending")
    expect(window.page.get_by_role("tabpanel", name="Trending").locator(".warning")).to_contain_text("may be missing")


@pytest.mark.parametrize("fragment", ["#trending", "#retrieve?history=i1&k=5"])
def test_it_is_no_wider_than_a_phone(open_window, server, fragment) -> None:
    window = open_window(width=390)
    window.goto(server, fragment)
    expect(window.page.locator(".card:visible")).to_have_count(2)
    wide, seen = window.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= seen == 390
