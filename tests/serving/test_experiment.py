"""An experiment: its file, which user gets which arm, and what the arms answer over HTTP."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import chi2, chi2_contingency

from adi.errors import AdiError
from adi.retrieval.request import Request
from adi.retrieval.retriever import Retriever
from adi.serving.experiment import Experiment, load_experiment
from adi.serving.messages import Ask, Body
from adi.serving.metrics import Metrics
from adi.serving.service import Live, Service
from adi.serving.watch import Follower

MANY = [str(number) for number in range(40_000)]


def experiment(name: str = "ranker-2", /, *, salt: str | None = None, **weights: float) -> Experiment:
    arms = {arm: {"bundle": "bundle", "weight": weight} for arm, weight in weights.items()}
    return Experiment.model_validate({"name": name, "salt": salt, "control": min(weights), "arms": arms})


def arms_of(one: Experiment) -> list[str]:
    return [one.arm_of(user) for user in MANY]


def moved(before: Experiment, after: Experiment) -> Counter[tuple[str, str]]:
    """How many users went from which arm to which."""
    return Counter((a, b) for a, b in zip(arms_of(before), arms_of(after), strict=True) if a != b)


def test_a_user_stays_in_an_arm_from_one_version_of_adi_to_the_next() -> None:
    """With equal weights, the greater of two hashes, as in: printf "ranker-2\\0a\\0ana" | b2sum -l 64."""
    users = ["1", "2", "3", "ana", "bo b", "李", ""]
    assert [experiment(a=1, b=1).arm_of(user) for user in users] == list("abaaaba")


@pytest.mark.parametrize(
    "weights", [{"a": 0.9, "b": 0.1}, {"a": 1, "b": 1, "c": 1}, {"a": 70, "b": 20, "c": 9, "d": 1}]
)
def test_each_arm_gets_its_share(weights: dict[str, float]) -> None:
    one = experiment(**weights)
    found, total = Counter(arms_of(one)), sum(weights.values())
    assert one.shares == pytest.approx({name: weight / total for name, weight in weights.items()})
    expected = {name: share * len(MANY) for name, share in one.shares.items()}
    distance = sum((found[name] - count) ** 2 / count for name, count in expected.items())
    assert distance < chi2.ppf(0.999, len(weights) - 1)


def test_neither_the_order_of_the_arms_nor_the_unit_of_the_weights_matters() -> None:
    users = arms_of(experiment(a=1, b=2, c=3))
    assert arms_of(experiment(c=3, a=1, b=2)) == users
    assert arms_of(experiment(a=0.5, b=1, c=1.5)) == users
    assert arms_of(experiment("other", salt="ranker-2", a=1, b=2, c=3)) == users


def test_experiments_divide_the_users_independently_of_each_other() -> None:
    pairs = Counter(zip(arms_of(experiment("one", a=3, b=1)), arms_of(experiment("two", a=1, b=1)), strict=True))
    table = [[pairs[one, two] for two in "ab"] for one in "ab"]
    assert chi2_contingency(table).pvalue > 0.001
    salted = Counter(zip(arms_of(experiment(salt="x", a=1, b=1)), arms_of(experiment(salt="y", a=1, b=1)), strict=True))
    assert sorted(salted) == [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]


def test_a_weight_that_rises_moves_no_more_users_than_it_must() -> None:
    before, after = {"a": 8.0, "b": 1.0, "c": 1.0}, {"a": 8.0, "b": 1.0, "c": 2.0}
    changes = moved(experiment(**before), experiment(**after))
    assert {to for _, to in changes} == {"c"}
    gained = 2 / 11 - 1 / 10  # of the users, the share that c must gain
    assert abs(changes.total() / len(MANY) - gained) < 4 * sqrt(gained / len(MANY))
    assert {start for start, _ in moved(experiment(**after), experiment(**before))} == {"c"}


def test_an_arm_that_comes_or_goes_moves_its_own_users_alone() -> None:
    three, two = experiment(a=5, b=3, c=2), experiment(a=5, b=3)
    assert {start for start, _ in moved(three, two)} == {"c"}
    assert {to for _, to in moved(two, three)} == {"c"}


GOOD = """
name: ranker-2
arms:
  control: {bundle: old, weight: 9}
  treatment: {bundle: /srv/new, weight: 1}
"""


def test_a_file_names_its_bundles_from_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(GOOD)
    one = load_experiment(tmp_path / "one.yaml")
    assert {name: arm.bundle for name, arm in one.arms.items()} == {
        "control": tmp_path / "old",
        "treatment": Path("/srv/new"),
    }
    assert (one.name, one.salt, one.control, one.shares) == (
        "ranker-2",
        None,
        "control",
        {"control": 0.9, "treatment": 0.1},
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("arms:", "amrs:", "amrs: is not a known key. Did you mean 'arms'? Known: name, salt, control, arms."),
        ("weight: 9", "wieght: 9", "arms.control.wieght: is not a known key. Did you mean 'weight'?"),
        (", weight: 9", "", "arms.control.weight: Field required"),
        ("weight: 9", "weight: 0", "arms.control.weight: Input should be greater than 0 (got 0)"),
        ("weight: 9", "weight: -1", "arms.control.weight: Input should be greater than 0 (got -1)"),
        ("weight: 9", "weight: .nan", "arms.control.weight: Input should be a finite number"),
        ("weight: 9", "weight: .inf", "arms.control.weight: Input should be a finite number"),
        ("weight: 9", "weight: most", "arms.control.weight: Input should be a valid number"),
        ("bundle: old", "bundle: [old]", "arms.control.bundle: Input is not a valid path"),
        ("name: ranker-2", "name: 2", "name: Input should be a valid string (got 2)"),
        ("name: ranker-2", "name: ranker 2", "name: String should match pattern"),
        ("name: ranker-2", "", "name: Field required"),
        ("name: ranker-2", "name: a\nsalt: ''", "salt: String should have at least 1 character"),
        ("  treatment: {bundle: /srv/new, weight: 1}\n", "", "arms: an experiment has at least two (control given)"),
        ("treatment:", "treat ment:", "String should match pattern '^[A-Za-z0-9_.-]+$' (got 'treat ment')"),
        ("treatment:", "7:", "Input should be a valid string (got 7)"),
        ("  control:", "  contrl:", "control: 'control' is not one of the arms (contrl, treatment). Name the one that"),
        ("arms:", "control: treatmnt\narms:", "'treatmnt' is not one of the arms (control, treatment)"),
        ("treatment:", "control:", "the key 'control' comes twice"),
        ("arms:", "arms: [", "not readable as YAML"),
        (GOOD, "- control\n", "is to be a mapping with the keys name, arms."),
        (GOOD, "", "is to be a mapping with the keys name, arms."),
    ],
)
def test_a_file_that_is_no_experiment_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert GOOD.count(old) == 1
    path = tmp_path / "one.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(AdiError) as caught:
        load_experiment(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


@pytest.fixture(scope="module")
def server(bundles: tuple[Path, Path], between: Callable[..., Experiment], serving: Callable[..., Any]) -> Any:
    return serving(between(*bundles))


@pytest.fixture(scope="module")
def lists(bundles: tuple[Path, Path]) -> Callable[..., dict[str, Any]]:
    """What an arm answers: a function of its name and what is asked of the retriever."""
    retrievers = dict(zip(("old", "new"), map(Retriever, bundles), strict=True))

    def result(arm: str, **asked: Any) -> dict[str, Any]:
        retriever = retrievers[arm]
        tops = {domain: retriever.retrieve(domain, k=4, **asked) for domain in retriever.dataset.domains}
        return {
            "version": retriever.engine.version,
            "arm": arm,
            "domains": {
                domain: {
                    "items": [one.item for one in top.items],
                    "scores": pytest.approx([one.score for one in top.items]),
                }
                for domain, top in tops.items()
            },
            "ignored": [],
            "without_events": False,
        }

    return result


USERS = ("ana", "bo b", "cy", "dan", "eve", "李")


def test_each_user_is_answered_by_the_bundle_of_the_own_arm(server, bundles, between, lists) -> None:
    reply = server.ask("/v1/retrieve", {"requests": [{"user": user, "k": 4} for user in USERS]})
    arms = [between(*bundles).arm_of(user) for user in USERS]
    assert set(arms) == {"old", "new"}
    assert reply.body == {"results": [lists(arm, user=user) for arm, user in zip(arms, USERS, strict=True)]}
    for user, result in zip(USERS, reply.body["results"], strict=True):
        assert server.ask("/v1/retrieve", {"user": user, "k": 4}).body["results"] == [result]
    assert lists("old", user="ana")["domains"] != lists("new", user="ana")["domains"]


def test_the_header_names_the_arm(server, lists) -> None:
    asks = [{"user": user, "k": 4} for user in USERS]
    for arm in ("old", "new"):
        reply = server.ask("/v1/retrieve", {"requests": asks}, headers={"X-Adi-Arm": arm})
        assert reply.body["results"] == [lists(arm, user=user) for user in USERS]
        for path in ("/v1/bundle", "/v1/domains"):
            told = server.ask(path, headers={"x-adi-arm": arm}).body
            assert (told["arm"], told["version"]) == (arm, reply.body["results"][0]["version"])


def test_what_is_asked_for_nobody_comes_from_the_control(server, lists) -> None:
    assert server.ask("/v1/retrieve", {"history": ["pen"], "k": 4}).body["results"] == [lists("old", history=["pen"])]
    for path in ("/v1/bundle", "/v1/domains"):
        assert server.ask(path).body["arm"] == "old"
    assert server.ask("/readyz").body["version"] == lists("old", history=[])["version"]


@pytest.mark.parametrize("arm", ["nwe", "", "NEW", "old, new", "\xff"])
def test_an_arm_that_is_not_there_is_a_problem(server, arm: str) -> None:
    asked = {"/v1/retrieve": {"user": "ana"}, "/v1/items": {"domain": "feed", "items": ["pen"]}}
    asked |= dict.fromkeys(("/v1/bundle", "/v1/domains", "/v1/users", "/v1/items?prefix=p", "/v1/users/ana"))
    for path, body in asked.items():
        reply = server.ask(path, body, headers={"X-Adi-Arm": arm})
        assert (reply.status, reply.body["title"]) == (422, "No such arm"), path
        assert f"X-Adi-Arm: '{arm}' is not one of the arms old, new." in reply.body["detail"]
    assert "Did you mean 'new'?" in server.ask("/v1/bundle", headers={"X-Adi-Arm": "nwe"}).body["detail"]


def test_without_an_experiment_there_is_no_arm(served) -> None:
    reply = served.ask("/v1/retrieve", {"user": "ana"}, headers={"X-Adi-Arm": "old"})
    assert (reply.status, reply.body["detail"]) == (
        422,
        "X-Adi-Arm: 'old' is no arm, for no experiment is served. Leave the header out.",
    )
    assert served.ask("/v1/bundle").body["arm"] is None


def test_a_request_that_cannot_be_answered_names_its_place_whatever_its_arm(server) -> None:
    reply = server.ask("/v1/retrieve", {"requests": [{"user": "ana"}, {"user": "nobody"}]})
    assert (reply.status, reply.body["detail"].startswith("requests.1: user 'nobody'")) == (422, True)


def test_requests_and_versions_are_counted_by_arm(serving, bundles, between) -> None:
    server = serving(between(*bundles))
    arms = Counter(between(*bundles).arm_of(user) for user in USERS)
    server.ask("/v1/retrieve", {"requests": [{"user": user} for user in USERS]})
    server.ask("/v1/retrieve", {"user": "ana"}, headers={"X-Adi-Arm": "new"})
    server.ask("/v1/retrieve", {"history": ["pen"]})
    server.ask("/v1/retrieve", {"requests": [{"user": "ana"}, {"user": "nobody"}]})  # no answer, of no arm
    lines = server.ask("/metrics").body.splitlines()
    found = {line for line in lines if line.startswith(("adi_arm_requests_total", "adi_bundle{"))}
    assert found == {
        f'adi_arm_requests_total{{arm="old",assignment="hash"}} {arms["old"]:.1f}',
        f'adi_arm_requests_total{{arm="new",assignment="hash"}} {arms["new"]:.1f}',
        'adi_arm_requests_total{arm="new",assignment="header"} 1.0',
        'adi_arm_requests_total{arm="old",assignment="none"} 1.0',
        *(f'adi_bundle{{arm="{arm}",version="{live.version}"}} 1.0' for arm, live in server.service.lives.items()),
    }


def test_what_a_user_does_counts_in_every_arm(serving, bundles, between) -> None:
    server = serving(between(*bundles))
    assert server.ask("/v1/events", {"user": "who", "events": [{"item": "pen", "domain": "feed"}]}).status == 204
    for arm in ("old", "new"):
        reply = server.ask("/v1/retrieve", {"user": "who"}, headers={"X-Adi-Arm": arm})
        assert (reply.status, reply.body["results"][0]["arm"]) == (200, arm)


def test_context_that_only_another_arm_knows_is_left_out(serving, bundles, between, monkeypatch) -> None:
    """The control is made to have no feature 'hour', as if the treatment were the first model with it."""
    service = serving(between(*bundles)).service
    control = service.lives["old"]
    monkeypatch.setitem(vars(control), "context", {"device"})
    asked: list[Mapping[str, str]] = []
    answer = Retriever.answer

    def noted(self: Retriever, requests: Sequence[Request]) -> Any:
        asked.extend(request.context for request in requests)
        return answer(self, requests)

    monkeypatch.setattr(Retriever, "answer", noted)
    ask = {"history": ["pen"], "domains": ["feed"], "context": {"device": "phone", "hour": "9"}}
    strange = ask | {"context": {"sky": "blue"}}
    bodies = [Body([Ask.model_validate(own)], arm) for own, arm in ((ask, "old"), (ask, "new"), (strange, "old"))]
    *found, fault = service.answer(bodies)
    assert [one["results"][0]["arm"] for one in found] == ["old", "new"]
    assert asked == [{"device": "phone"}, {"sky": "blue"}, {"device": "phone", "hour": "9"}]
    assert fault.status == 422
    assert "context 'sky' is not a context feature" in fault.detail


def test_an_arm_that_is_no_bundle_is_named(bundles, between, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=f"experiment ranker-2, arm 'new': {tmp_path}: not a bundle"):
        Service(between(bundles[0], tmp_path), Metrics())


def test_bundles_of_other_domains_are_no_experiment(bundles, between, monkeypatch) -> None:
    def domains(live: Live) -> tuple[str, ...]:
        own = live.retriever.dataset.domains
        return (*own[1:], own[0]) if live.arm == "old" else own[:2]

    monkeypatch.setattr(Live, "domains", property(domains))
    with pytest.raises(AdiError, match=r"arm 'new': .*bundle-1 lacks domain 'kiosk', which arm 'old' has"):
        Service(between(*bundles), Metrics())


def test_two_arms_may_be_one_bundle_and_domains_come_in_any_order(bundles, between, monkeypatch) -> None:
    """As in an A/A test, which shows that the arms differ in nothing but their users."""
    order = {"old": 1, "new": -1}
    monkeypatch.setattr(Live, "domains", property(lambda live: live.retriever.dataset.domains[:: order[live.arm]]))
    service = Service(between(bundles[0], bundles[0]), Metrics())
    assert len({live.version for live in service.lives.values()}) == 1


def test_an_experiment_follows_no_folder(bundles, between) -> None:
    with pytest.raises(AdiError, match="--watch: an experiment compares the bundles that its file names"):
        Follower(Service(between(*bundles), Metrics()), bundles[0].parent, print)


def test_the_schema_names_arm_version_and_header(server) -> None:
    schema = server.ask("/openapi.json").body
    results = schema["components"]["schemas"]
    assert set(results["Retrieved"]["required"]) == {"results"}
    assert set(results["Answers"]["required"]) == {"version", "arm", "domains", "ignored", "without_events"}
    named = {
        (path, method)
        for path, methods in schema["paths"].items()
        for method, route in methods.items()
        if any(one["name"] == "X-Adi-Arm" for one in route.get("parameters", []))
    }
    assert named == {
        ("/v1/retrieve", "post"),
        ("/v1/items", "post"),
        *((f"/v1/{path}", "get") for path in ("domains", "bundle", "users", "items", "users/{user}")),
    }
