"""The tab Retrieve: it shows the answers of the API, and errors beside their fields."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import Route, expect

from adi.exporting.export import export
from adi.serving.redis_events import RedisEventStore
from adi.training.train import train


def test_the_lists_of_a_chosen_user_are_those_of_the_api(open_window, served, top) -> None:
    window = open_window()
    window.goto(served)
    window.page.get_by_label("User id").press_sequentially("an")
    expect(window.page.get_by_role("option")).to_have_text(["ana"])
    window.page.keyboard.press("ArrowDown")
    window.page.keyboard.press("Enter")
    window.answered()
    lists = window.lists()
    assert lists == top(served, {"user": "ana"})
    assert sum(map(len, lists.values())) == 6
    history = [event["item"] for event in served.ask("/v1/users/ana").body["history"]]
    assert window.page.locator(".event button.id").all_inner_texts() == history
    expect(window.page.get_by_role("status")).to_contain_text("User ana: ")


def test_each_item_has_its_rank_in_the_other_domains(open_window, served) -> None:
    window = open_window()
    window.goto(served, "#retrieve?history=cap&k=20")
    window.answered()
    lists = window.lists()
    assert len({*lists["search"], *lists["feed"]}) < len(lists["search"]) + len(lists["feed"])
    for domain, items in lists.items():
        card = window.page.locator(".card", has=window.page.get_by_role("heading", name=domain, exact=True))
        for place, item in enumerate(items):
            row = card.locator(".item").nth(place)
            assert row.locator(".rank").text_content() == f"rank {place + 1}"
            expected = {
                other: str(ranked.index(item) + 1) if item in ranked else "–"
                for other, ranked in lists.items()
                if other != domain
            }
            ranks = [text.split() for text in row.locator(".elsewhere li").all_inner_texts()]
            assert {other: rank for other, rank, *_ in ranks} == expected


def test_attributes_are_those_of_the_card_s_domain(open_window, served) -> None:
    window = open_window()
    window.goto(served, "#retrieve?history=cap&k=20")
    window.answered()
    for domain, bid in (("search", "1"), ("feed", "3")):
        card = window.page.locator(".card", has=window.page.get_by_role("heading", name=domain, exact=True))
        pen = card.locator(".item", has=window.page.get_by_role("button", name="pen", exact=True))
        assert pen.locator("dl div").all_inner_texts() == ["price\n1", "tags\nwrite, blue", f"bid\n{bid}"]


def test_the_same_item_is_marked_in_every_list(open_window, served) -> None:
    window = open_window()
    window.goto(served, "#retrieve?history=cap&k=20")
    window.answered()
    lists = window.lists()
    item = next(item for item in lists["search"] if item in lists["feed"])
    count = sum(item in items for items in lists.values())
    button = window.page.locator(".card").first.get_by_role("button", name=item, exact=True)
    marked = window.page.locator(".item.same")
    button.hover()
    expect(marked).to_have_count(count)
    assert set(marked.locator("button.id").all_inner_texts()) == {item}
    window.page.mouse.move(0, 0)
    expect(marked).to_have_count(0)
    button.focus()
    expect(marked).to_have_count(count)
    button.press("Enter")
    window.page.get_by_label("User id").or_(window.page.locator("#item")).locator("visible=true").focus()
    expect(marked).to_have_count(count)
    expect(button).to_have_attribute("aria-pressed", "true")


def test_a_new_user_is_described_by_a_typed_history(open_window, served, top) -> None:
    window = open_window()
    window.goto(served)
    window.page.get_by_label("A new user, by history").check()
    box = window.page.get_by_label("Item ids, oldest first")
    box.press_sequentially("mug,nothing")
    box.press("Enter")
    box.press_sequentially("é")
    window.page.get_by_role("option", name="été").click()
    window.page.get_by_label("Items of each domain").fill("4")
    window.page.get_by_role("button", name="Retrieve").click()
    window.answered()
    assert window.lists() == top(served, {"history": ["mug", "nothing", "été"], "k": 4})
    expect(window.page.locator(".warning")).to_have_text("Not in the bundle, and ignored: nothing.")
    window.page.get_by_role("button", name="Leave out nothing").click()
    window.page.get_by_role("button", name="Retrieve").click()
    expect(window.page.locator(".warning")).to_have_count(0)
    window.answered()
    assert window.lists() == top(served, {"history": ["mug", "été"], "k": 4})


def test_filter_and_context_are_sent(open_window, served, top) -> None:
    window = open_window()
    window.goto(served, "#retrieve?user=ana&k=5")
    window.answered()
    window.page.get_by_label("Filter").fill("bid >= 0.5")
    window.page.get_by_label("hour").fill("9")
    with window.page.expect_request("**/v1/retrieve") as sent:
        window.page.get_by_label("Filter").press("Enter")
    request = {
        "user": "ana",
        "context": {"hour": "9"},
        "filter": "bid >= 0.5",
        "k": 5,
        "explain": True,
        "preview": True,
    }
    assert sent.value.post_data_json == request
    expect(window.page.locator(".card").first.locator(".item")).not_to_have_count(5)
    window.answered()
    assert window.lists() == top(served, {"user": "ana", "k": 5, "filter": "bid >= 0.5", "context": {"hour": 9}})


@pytest.mark.parametrize(
    ("fragment", "place", "words"),
    [
        ("user=nobody", "who", "user 'nobody' is not known: give the history of a new user."),
        ("user=", "who", "no user: give the history"),
        ("user=ana&filter=bit+>+1", "filter", "no column 'bit'. Did you mean 'bid'?"),
        ("user=ana&k=0", "k", "k: Input should be greater than or equal to 1"),
        ("user=ana&context.hour=noon", "context", "context 'hour': 'noon' is not a number"),
    ],
)
def test_errors_are_shown_beside_their_fields(open_window, served, fragment, place, words) -> None:
    window = open_window()
    window.goto(served, f"#retrieve?{fragment}")
    expect(window.page.locator(f"#{place}-error")).to_contain_text(words)
    assert window.page.locator(f"input[aria-invalid][aria-describedby~='{place}-error']:visible").count() >= 1
    assert window.page.locator(".card").count() == 0
    window.goto(served, "#retrieve?user=ana")
    window.answered()
    assert "".join(window.page.locator(".error").all_inner_texts()) == ""


def test_a_timeout_is_shown(open_window, serving, bundles, held) -> None:
    server = serving(bundles[0], timeout=0.2)
    released = held(server)
    window = open_window()
    window.goto(server, "#retrieve?user=ana")
    expect(window.page.locator("#ask-error")).to_have_text("No answer within 0.2 seconds. Ask for less.")
    released.set()


def test_events_since_the_export_are_in_the_history(open_window, serving, bundles) -> None:
    server = serving(bundles[0])
    server.ask("/v1/events", {"user": "new one", "events": [{"item": "pen", "domain": "feed"}]})
    window = open_window()
    window.goto(server, "#retrieve?user=new+one")
    window.answered()
    assert window.page.locator(".event").inner_text().split() == ["pen", "in", "feed", "since", "export"]
    expect(window.page.locator(".past")).to_contain_text("The bundle does not know this user")


def test_an_unavailable_event_store_is_shown(open_window, serving, bundles, redis_server) -> None:
    with closing(RedisEventStore(redis_server.url)) as recent:
        server = serving(bundles[0], recent)
        redis_server.stop()
        window = open_window()
        window.goto(server, "#retrieve?user=ana")
        window.answered()
        expect(window.page.locator(".warning")).to_contain_text("Without what the user did since the export")
        expect(window.page.locator(".past")).to_contain_text("History, newest first (5)")


def test_in_an_experiment_the_arm_of_the_user_answers_and_previews_are_not_logged(
    open_window, serving, bundles, between, top, tmp_path
) -> None:
    experiment = between(*bundles)
    server = serving(experiment, exposures=tmp_path)
    versions = {arm: bundle.version for arm, bundle in server.service.bundles.items()}
    window = open_window()
    for arm in ("old", "new"):
        user = next(user for user in ("ana", "bo b", "cy", "dan") if experiment.arm_of(user) == arm)
        window.goto(server, f"#retrieve?user={user}&k=4")
        expect(window.page.get_by_role("status")).to_contain_text(f"User {user}, arm {arm}, bundle {versions[arm]}: ")
        window.answered()
        assert window.lists() == top(server, {"user": user, "k": 4, "preview": True})
        expect(window.page.locator("#live")).to_have_text(f"arm old: dnn, bundle {versions['old']}")
    server.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_chosen_arm_answers_in_every_tab(open_window, serving, bundles, between, top) -> None:
    experiment = between(*bundles)
    server = serving(experiment)
    user = next(user for user in ("ana", "bo b", "cy", "dan") if experiment.arm_of(user) == "old")
    version = server.service.bundles["new"].version
    window = open_window()
    window.goto(server, f"#retrieve?user={user}&k=4")
    window.answered()
    assert window.page.get_by_label("Arm of the experiment").input_value() == ""
    window.page.get_by_label("Arm of the experiment").select_option("new")
    expect(window.page.get_by_role("status")).to_contain_text(f"User {user}, arm new, bundle {version}: ")
    window.answered()
    shown = window.lists()
    window.page.get_by_role("tab", name="Bundle").click()
    expect(window.page.get_by_role("tabpanel")).to_contain_text(version)
    expect(window.page.locator("#live")).to_have_text(f"arm new: dnn, bundle {version}")
    window.page.get_by_role("tab", name="Retrieve").click()
    window.page.get_by_role("button", name="Retrieve").click()
    window.answered()
    assert window.lists() == shown
    window.page.get_by_label("Arm of the experiment").select_option("that of the user")
    expect(window.page.get_by_role("status")).to_contain_text("arm old")
    window.answered()
    assert window.lists() == top(server, {"user": user, "k": 4, "preview": True}) != shown


def test_arms_are_shown_side_by_side(open_window, serving, bundles, between) -> None:
    server = serving(between(*bundles))
    expected = {}
    for arm in ("old", "new"):
        answer = server.ask("/v1/retrieve", {"user": "ana", "k": 4, "preview": True}, headers={"X-Adi-Arm": arm})
        for domain, ranked in answer.body["results"][0]["domains"].items():
            expected.setdefault(domain, {})[arm] = ranked["items"]
    window = open_window(width=390)
    window.goto(server, "#retrieve?user=ana&k=4")
    window.answered()
    window.page.get_by_label("Arm of the experiment").select_option("all, side by side")
    expect(window.page.get_by_role("status")).to_have_text("User ana: old, new side by side.")
    shown = {
        section.locator("> h2").inner_text(): {
            card.locator("h3").inner_text(): card.locator(".item button.id").all_inner_texts()
            for card in section.locator(".card").all()
        }
        for section in window.page.locator(".arms").all()
    }
    assert shown == expected
    for domain, lists in expected.items():
        section = window.page.locator(".arms", has=window.page.get_by_role("heading", name=domain, exact=True))
        common = len({*lists["old"]} & {*lists["new"]})
        longest = max(map(len, lists.values()))
        expect(section.locator("> .note")).to_have_text(f"{common} of {longest} items are in the list of every arm.")
    assert any(lists["old"] != lists["new"] for lists in expected.values())
    first = window.page.locator(".arms").first.get_by_label("Rank in the other arms").first
    expect(first).to_contain_text("new")
    assert window.page.evaluate("document.documentElement.scrollWidth") == 390
    window.page.get_by_role("tab", name="Bundle").click()
    expect(window.page.locator("#live")).to_contain_text("arm old")
    window.page.go_back()
    expect(window.page.get_by_role("status")).to_have_text("User ana: old, new side by side.")


def test_without_an_experiment_there_is_no_arm_to_choose(open_window, served) -> None:
    window = open_window()
    window.goto(served, "#retrieve?user=ana")
    window.answered()
    expect(window.page.get_by_label("Arm of the experiment")).to_be_hidden()
    expect(window.page.get_by_label("Weight of log bid")).to_be_hidden()


def test_lists_are_busy_from_the_start_of_the_next_request(open_window, served, top) -> None:
    window = open_window()
    window.goto(served, "#retrieve?user=ana&k=4")
    window.answered()
    held: list[Route] = []
    window.page.route("**/v1/bundle*", lambda route: held.append(route))  # the first request of the page
    window.page.evaluate("location.hash = '#retrieve?user=ana&k=2'")
    expect(window.page.locator("#results")).to_have_attribute("aria-busy", "true")
    while not held:  # the page is busy before its request has come here
        window.page.wait_for_timeout(10)
    held[0].continue_()
    window.answered()
    assert window.lists() == top(served, {"user": "ana", "k": 2})


def test_the_weight_of_bids_is_sent(open_window, serving, prepared_with_bids, tmp_path, top) -> None:
    small = {"embedding_dim": 6, "dim": 4, "networks": (5,), "epochs": 1, "batch_size": 8}
    train(prepared_with_bids, "dnn", tmp_path / "run", settings=small)
    export(tmp_path / "run", tmp_path / "bundle", bid="bid")
    server = serving(tmp_path / "bundle")
    window = open_window()
    window.goto(server, "#retrieve?user=ana&k=4")
    window.answered()
    plain = window.lists()
    weight = window.page.get_by_label("Weight of log bid")
    weight.fill("2.5")
    weight.press("Enter")
    expect(window.page).to_have_url(re.compile(r"bid_weight=2\.5"))
    window.answered()
    assert window.lists() == top(server, {"user": "ana", "k": 4, "bid_weight": 2.5}) != plain
    weight.fill("-1")
    weight.press("Enter")
    expect(window.page.locator("#bid-error")).to_contain_text("bid_weight: Input should be greater than or equal to 0")
    expect(weight).to_have_attribute("aria-invalid", "true")
