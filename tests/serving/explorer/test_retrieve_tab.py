"""The tab Retrieve: what it shows is what the API gives, and what is wrong is said beside its field."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import Route, expect

from adi.exporting.export import export
from adi.serving.recent_redis import RedisRecent
from adi.training.train import train


def test_a_user_who_is_chosen_gets_in_each_domain_what_the_api_gives(window, served, top) -> None:
    one = window()
    one.goto(served)
    one.page.get_by_label("User id").press_sequentially("an")
    expect(one.page.get_by_role("option")).to_have_text(["ana"])
    one.page.keyboard.press("ArrowDown")
    one.page.keyboard.press("Enter")
    one.answered()
    lists = one.lists()
    assert lists == top(served, {"user": "ana"})
    assert sum(map(len, lists.values())) == 6
    history = [event["item"] for event in served.ask("/v1/users/ana").body["history"]]
    assert one.page.locator(".event button.id").all_inner_texts() == history
    expect(one.page.get_by_role("status")).to_contain_text("User ana: ")


def test_each_item_has_its_rank_in_the_other_domains(window, served) -> None:
    one = window()
    one.goto(served, "#retrieve?history=cap&k=20")
    one.answered()
    lists = one.lists()
    assert len({*lists["search"], *lists["feed"]}) < len(lists["search"]) + len(lists["feed"])
    for domain, items in lists.items():
        card = one.page.locator(".card", has=one.page.get_by_role("heading", name=domain, exact=True))
        for place, item in enumerate(items):
            row = card.locator(".item").nth(place)
            assert row.locator(".rank").text_content() == f"rank {place + 1}"
            wanted = {
                other: str(own.index(item) + 1) if item in own else "–"
                for other, own in lists.items()
                if other != domain
            }
            told = [text.split() for text in row.locator(".elsewhere li").all_inner_texts()]
            assert {other: rank for other, rank, *_ in told} == wanted


def test_attributes_are_those_of_the_card_s_domain(window, served) -> None:
    one = window()
    one.goto(served, "#retrieve?history=cap&k=20")
    one.answered()
    for domain, bid in (("search", "1"), ("feed", "3")):
        card = one.page.locator(".card", has=one.page.get_by_role("heading", name=domain, exact=True))
        pen = card.locator(".item", has=one.page.get_by_role("button", name="pen", exact=True))
        assert pen.locator("dl div").all_inner_texts() == ["price\n1", "tags\nwrite, blue", f"bid\n{bid}"]


def test_the_same_item_is_marked_in_every_list(window, served) -> None:
    one = window()
    one.goto(served, "#retrieve?history=cap&k=20")
    one.answered()
    lists = one.lists()
    item = next(item for item in lists["search"] if item in lists["feed"])
    wanted = sum(item in own for own in lists.values())
    button = one.page.locator(".card").first.get_by_role("button", name=item, exact=True)
    marked = one.page.locator(".item.same")
    button.hover()
    expect(marked).to_have_count(wanted)
    assert set(marked.locator("button.id").all_inner_texts()) == {item}
    one.page.mouse.move(0, 0)
    expect(marked).to_have_count(0)
    button.focus()
    expect(marked).to_have_count(wanted)
    button.press("Enter")
    one.page.get_by_label("User id").or_(one.page.locator("#item")).locator("visible=true").focus()
    expect(marked).to_have_count(wanted)
    expect(button).to_have_attribute("aria-pressed", "true")


def test_a_new_user_is_a_history_that_is_typed(window, served, top) -> None:
    one = window()
    one.goto(served)
    one.page.get_by_label("A new user, by history").check()
    box = one.page.get_by_label("Item ids, oldest first")
    box.press_sequentially("mug,nothing")
    box.press("Enter")
    box.press_sequentially("é")
    one.page.get_by_role("option", name="été").click()
    one.page.get_by_label("Items of each domain").fill("4")
    one.page.get_by_role("button", name="Retrieve").click()
    one.answered()
    assert one.lists() == top(served, {"history": ["mug", "nothing", "été"], "k": 4})
    expect(one.page.locator(".warning")).to_have_text("Not in the bundle, and ignored: nothing.")
    one.page.get_by_role("button", name="Leave out nothing").click()
    one.page.get_by_role("button", name="Retrieve").click()
    expect(one.page.locator(".warning")).to_have_count(0)
    one.answered()
    assert one.lists() == top(served, {"history": ["mug", "été"], "k": 4})


def test_filter_and_context_are_asked_for(window, served, top) -> None:
    one = window()
    one.goto(served, "#retrieve?user=ana&k=5")
    one.answered()
    one.page.get_by_label("Filter").fill("bid >= 0.5")
    one.page.get_by_label("hour").fill("9")
    with one.page.expect_request("**/v1/retrieve") as sent:
        one.page.get_by_label("Filter").press("Enter")
    asked = {"user": "ana", "context": {"hour": "9"}, "filter": "bid >= 0.5", "k": 5, "preview": True}
    assert sent.value.post_data_json == asked
    expect(one.page.locator(".card").first.locator(".item")).not_to_have_count(5)
    one.answered()
    assert one.lists() == top(served, {"user": "ana", "k": 5, "filter": "bid >= 0.5", "context": {"hour": 9}})


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
def test_what_is_wrong_is_said_beside_its_field(window, served, fragment, place, words) -> None:
    one = window()
    one.goto(served, f"#retrieve?{fragment}")
    expect(one.page.locator(f"#{place}-error")).to_contain_text(words)
    assert one.page.locator(f"input[aria-invalid][aria-describedby~='{place}-error']:visible").count() >= 1
    assert one.page.locator(".card").count() == 0
    one.goto(served, "#retrieve?user=ana")
    one.answered()
    assert "".join(one.page.locator(".error").all_inner_texts()) == ""


def test_a_server_that_is_too_slow_is_said_to_be(window, serving, bundles, held) -> None:
    server = serving(bundles[0], timeout=0.2)
    go = held(server)
    one = window()
    one.goto(server, "#retrieve?user=ana")
    expect(one.page.locator("#ask-error")).to_have_text("No answer within 0.2 seconds. Ask for less.")
    go.set()


def test_events_since_the_export_are_in_the_history(window, serving, bundles) -> None:
    server = serving(bundles[0])
    server.ask("/v1/events", {"user": "new one", "events": [{"item": "pen", "domain": "feed"}]})
    one = window()
    one.goto(server, "#retrieve?user=new+one")
    one.answered()
    assert one.page.locator(".event").inner_text().split() == ["pen", "in", "feed", "since", "export"]
    expect(one.page.locator(".past")).to_contain_text("The bundle does not know this user")


def test_without_the_store_of_events_the_page_says_so(window, serving, bundles, redis_server) -> None:
    with closing(RedisRecent(redis_server.url)) as recent:
        server = serving(bundles[0], recent)
        redis_server.stop()
        one = window()
        one.goto(server, "#retrieve?user=ana")
        one.answered()
        expect(one.page.locator(".warning")).to_contain_text("Without what the user did since the export")
        expect(one.page.locator(".past")).to_contain_text("History, newest first (5)")


def test_in_an_experiment_the_arm_of_the_user_answers_and_nothing_is_logged(
    window, serving, bundles, between, top, tmp_path
) -> None:
    experiment = between(*bundles)
    server = serving(experiment, exposures=tmp_path)
    versions = {arm: live.version for arm, live in server.service.lives.items()}
    one = window()
    for arm in ("old", "new"):
        user = next(user for user in ("ana", "bo b", "cy", "dan") if experiment.arm_of(user) == arm)
        one.goto(server, f"#retrieve?user={user}&k=4")
        expect(one.page.get_by_role("status")).to_contain_text(f"User {user}, arm {arm}, bundle {versions[arm]}: ")
        one.answered()
        assert one.lists() == top(server, {"user": user, "k": 4, "preview": True})
        expect(one.page.locator("#live")).to_have_text(f"arm old: dnn, bundle {versions['old']}")
    server.stop()
    assert list(tmp_path.iterdir()) == []


def test_an_arm_that_is_chosen_answers_in_every_tab(window, serving, bundles, between, top) -> None:
    experiment = between(*bundles)
    server = serving(experiment)
    user = next(user for user in ("ana", "bo b", "cy", "dan") if experiment.arm_of(user) == "old")
    version = server.service.lives["new"].version
    one = window()
    one.goto(server, f"#retrieve?user={user}&k=4")
    one.answered()
    assert one.page.get_by_label("Arm of the experiment").input_value() == ""
    one.page.get_by_label("Arm of the experiment").select_option("new")
    expect(one.page.get_by_role("status")).to_contain_text(f"User {user}, arm new, bundle {version}: ")
    one.answered()
    shown = one.lists()
    one.page.get_by_role("tab", name="Bundle").click()
    expect(one.page.get_by_role("tabpanel")).to_contain_text(version)
    expect(one.page.locator("#live")).to_have_text(f"arm new: dnn, bundle {version}")
    one.page.get_by_role("tab", name="Retrieve").click()
    one.page.get_by_role("button", name="Retrieve").click()
    one.answered()
    assert one.lists() == shown
    one.page.get_by_label("Arm of the experiment").select_option("that of the user")
    expect(one.page.get_by_role("status")).to_contain_text("arm old")
    one.answered()
    assert one.lists() == top(server, {"user": user, "k": 4, "preview": True}) != shown


def test_without_an_experiment_there_is_no_arm_to_choose(window, served) -> None:
    one = window()
    one.goto(served, "#retrieve?user=ana")
    one.answered()
    expect(one.page.get_by_label("Arm of the experiment")).to_be_hidden()
    expect(one.page.get_by_label("Weight of log bid")).to_be_hidden()


def test_lists_are_busy_from_the_start_of_the_next_request(window, served, top) -> None:
    one = window()
    one.goto(served, "#retrieve?user=ana&k=4")
    one.answered()
    held: list[Route] = []
    one.page.route("**/v1/bundle*", lambda route: held.append(route))  # the first thing that the page asks for
    one.page.evaluate("location.hash = '#retrieve?user=ana&k=2'")
    expect(one.page.locator("#results")).to_have_attribute("aria-busy", "true")
    held[0].continue_()
    one.answered()
    assert one.lists() == top(served, {"user": "ana", "k": 2})


def test_bids_are_weighed_as_the_field_says(window, serving, prepared_with_bids, tmp_path, top) -> None:
    small = {"embedding_dim": 6, "dim": 4, "networks": (5,), "epochs": 1, "batch_size": 8}
    train(prepared_with_bids, "dnn", tmp_path / "run", settings=small)
    export(tmp_path / "run", tmp_path / "bundle", bid="bid")
    server = serving(tmp_path / "bundle")
    one = window()
    one.goto(server, "#retrieve?user=ana&k=4")
    one.answered()
    plain = one.lists()
    weight = one.page.get_by_label("Weight of log bid")
    weight.fill("2.5")
    weight.press("Enter")
    expect(one.page).to_have_url(re.compile(r"bid_weight=2\.5"))
    one.answered()
    assert one.lists() == top(server, {"user": "ana", "k": 4, "bid_weight": 2.5}) != plain
    weight.fill("-1")
    weight.press("Enter")
    expect(one.page.locator("#bid-error")).to_contain_text("bid_weight: Input should be greater than or equal to 0")
    expect(weight).to_have_attribute("aria-invalid", "true")
