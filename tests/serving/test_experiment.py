"""Experiments: their file, the assignment of users to arms, and the arms' answers over HTTP."""

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
from adi.serving.live import LiveBundle
from adi.serving.metrics import Metrics
from adi.serving.requests import RetrieveCall, RetrieveRequest
from adi.serving.service import Service
from adi.serving.watch import Watcher

MANY = [str(number) for number in range(40_000)]


def make_experiment(name: str = "ranker-2", /, *, salt: str | None = None, **weights: float) -> Experiment:
    arms = {arm: {"bundle": "bundle", "weight": weight} for arm, weight in weights.items()}
    return Experiment.model_validate({"name": name, "salt": salt, "control": min(weights), "arms": arms})


def arms_of(experiment: Experiment) -> list[str]:
    return [experiment.arm_of(user) for user in MANY]


def moved(before: Experiment, after: Experiment) -> Counter[tuple[str, str]]:
    """Number of users who moved, by their arms before and after."""
    return Counter((a, b) for a, b in zip(arms_of(before), arms_of(after), strict=True) if a != b)


def test_assignment_is_the_same_in_every_version_of_adi() -> None:
    """With equal weights the greater of two hashes wins: printf "ranker-2\\0a\\0ana" | b2sum -l 64."""
    users = ["1", "2", "3", "ana", "bo b", "李", ""]
    assert [make_experiment(a=1, b=1).arm_of(user) for user in users] == list("abaaaba")


@pytest.mark.parametrize(
    "weights", [{"a": 0.9, "b": 0.1}, {"a": 1, "b": 1, "c": 1}, {"a": 70, "b": 20, "c": 9, "d": 1}]
)
def test_each_arm_gets_its_share(weights: dict[str, float]) -> None:
    experiment = make_experiment(**weights)
    counts, total = Counter(arms_of(experiment)), sum(weights.values())
    assert experiment.shares == pytest.approx({name: weight / total for name, weight in weights.items()})
    expected = {name: share * len(MANY) for name, share in experiment.shares.items()}
    statistic = sum((counts[name] - count) ** 2 / count for name, count in expected.items())
    assert statistic < chi2.ppf(0.999, len(weights) - 1)


def test_order_of_arms_and_unit_of_weights_do_not_matter() -> None:
    users = arms_of(make_experiment(a=1, b=2, c=3))
    assert arms_of(make_experiment(c=3, a=1, b=2)) == users
    assert arms_of(make_experiment(a=0.5, b=1, c=1.5)) == users
    assert arms_of(make_experiment("other", salt="ranker-2", a=1, b=2, c=3)) == users


def test_experiments_assign_users_independently() -> None:
    pairs = Counter(
        zip(arms_of(make_experiment("one", a=3, b=1)), arms_of(make_experiment("two", a=1, b=1)), strict=True)
    )
    table = [[pairs[one, two] for two in "ab"] for one in "ab"]
    assert chi2_contingency(table).pvalue > 0.001
    salted = Counter(
        zip(arms_of(make_experiment(salt="x", a=1, b=1)), arms_of(make_experiment(salt="y", a=1, b=1)), strict=True)
    )
    assert sorted(salted) == [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]


def test_a_raised_weight_moves_the_fewest_users() -> None:
    before, after = {"a": 8.0, "b": 1.0, "c": 1.0}, {"a": 8.0, "b": 1.0, "c": 2.0}
    changes = moved(make_experiment(**before), make_experiment(**after))
    assert {to for _, to in changes} == {"c"}
    gained = 2 / 11 - 1 / 10  # the share of the users that c must gain
    assert abs(changes.total() / len(MANY) - gained) < 4 * sqrt(gained / len(MANY))
    assert {start for start, _ in moved(make_experiment(**after), make_experiment(**before))} == {"c"}


def test_an_added_or_removed_arm_moves_only_its_own_users() -> None:
    three, two = make_experiment(a=5, b=3, c=2), make_experiment(a=5, b=3)
    assert {start for start, _ in moved(three, two)} == {"c"}
    assert {to for _, to in moved(two, three)} == {"c"}


GOOD = """
name: ranker-2
arms:
  control: {bundle: old, weight: 9}
  treatment: {bundle: /srv/new, weight: 1}
"""


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text(GOOD)
    experiment = load_experiment(tmp_path / "experiment.yaml")
    assert {name: arm.bundle for name, arm in experiment.arms.items()} == {
        "control": tmp_path / "old",
        "treatment": Path("/srv/new"),
    }
    assert (experiment.name, experiment.salt, experiment.control, experiment.shares) == (
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
        (", weight: 9", "", "arms.control.weight: is missing"),
        ("weight: 9", "weight: 0", "arms.control.weight: should be more than 0 (got 0)"),
        ("weight: 9", "weight: -1", "arms.control.weight: should be more than 0 (got -1)"),
        ("weight: 9", "weight: .nan", "arms.control.weight: should be a finite number"),
        ("weight: 9", "weight: .inf", "arms.control.weight: should be a finite number"),
        ("weight: 9", "weight: most", "arms.control.weight: should be a number"),
        ("bundle: old", "bundle: [old]", "arms.control.bundle: Input is not a valid path"),
        ("name: ranker-2", "name: 2", "name: should be text (got 2)"),
        ("name: ranker-2", "name: ranker 2", "name: String should match pattern"),
        ("name: ranker-2", "", "name: is missing"),
        ("name: ranker-2", "name: a\nsalt: ''", "salt: should not be empty"),
        ("  treatment: {bundle: /srv/new, weight: 1}\n", "", "arms: an experiment needs at least two (control given)"),
        ("treatment:", "treat ment:", "String should match pattern '^[A-Za-z0-9_.-]+$' (got 'treat ment')"),
        ("treatment:", "7:", "should be text (got 7)"),
        ("  control:", "  contrl:", "control: 'control' is not one of the arms (contrl, treatment). Name the arm that"),
        ("arms:", "control: treatmnt\narms:", "'treatmnt' is not one of the arms (control, treatment)"),
        ("treatment:", "control:", "the key 'control' comes twice"),
        ("arms:", "arms: [", "not readable as YAML"),
        (GOOD, "- control\n", "is to be a mapping with the keys name, arms."),
        (GOOD, "", "is to be a mapping with the keys name, arms."),
    ],
)
def test_an_invalid_file_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert GOOD.count(old) == 1
    path = tmp_path / "experiment.yaml"
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
    """A function of an arm and the arguments of its retriever that gives the expected result."""
    retrievers = dict(zip(("old", "new"), map(Retriever, bundles), strict=True))

    def result(arm: str, **arguments: Any) -> dict[str, Any]:
        retriever = retrievers[arm]
        tops = {domain: retriever.retrieve(domain, k=4, **arguments) for domain in retriever.dataset.domains}
        return {
            "version": retriever.engine.version,
            "arm": arm,
            "domains": {
                domain: {"items": list(top.ids), "scores": pytest.approx(list(top.scores))}
                for domain, top in tops.items()
            },
            "ignored": [],
            "without_events": False,
            "without_trends": False,
        }

    return result


USERS = ("ana", "bo b", "cy", "dan", "eve", "李")


def test_each_user_is_answered_by_the_bundle_of_their_arm(server, bundles, between, lists) -> None:
    reply = server.ask("/v1/retrieve", {"requests": [{"user": user, "k": 4} for user in USERS]})
    arms = [between(*bundles).arm_of(user) for user in USERS]
    assert set(arms) == {"old", "new"}
    assert reply.body == {"results": [lists(arm, user=user) for arm, user in zip(arms, USERS, strict=True)]}
    for user, result in zip(USERS, reply.body["results"], strict=True):
        assert server.ask("/v1/retrieve", {"user": user, "k": 4}).body["results"] == [result]
    assert lists("old", user="ana")["domains"] != lists("new", user="ana")["domains"]


def test_the_header_names_the_arm(server, lists) -> None:
    requests = [{"user": user, "k": 4} for user in USERS]
    for arm in ("old", "new"):
        reply = server.ask("/v1/retrieve", {"requests": requests}, headers={"X-Adi-Arm": arm})
        assert reply.body["results"] == [lists(arm, user=user) for user in USERS]
        for path in ("/v1/bundle", "/v1/domains"):
            bundle = server.ask(path, headers={"x-adi-arm": arm}).body
            assert (bundle["arm"], bundle["version"]) == (arm, reply.body["results"][0]["version"])


def test_requests_without_a_user_go_to_the_control(server, lists) -> None:
    assert server.ask("/v1/retrieve", {"history": ["pen"], "k": 4}).body["results"] == [lists("old", history=["pen"])]
    for path in ("/v1/bundle", "/v1/domains"):
        assert server.ask(path).body["arm"] == "old"
    assert server.ask("/readyz").body["version"] == lists("old", history=[])["version"]


@pytest.mark.parametrize("arm", ["nwe", "", "NEW", "old, new", "\xff"])
def test_an_unknown_arm_is_a_problem(server, arm: str) -> None:
    bodies = {"/v1/retrieve": {"user": "ana"}, "/v1/items": {"domain": "feed", "items": ["pen"]}}
    bodies |= dict.fromkeys(("/v1/bundle", "/v1/domains", "/v1/users", "/v1/items?prefix=p", "/v1/users/ana"))
    for path, body in bodies.items():
        reply = server.ask(path, body, headers={"X-Adi-Arm": arm})
        assert (reply.status, reply.body["title"]) == (422, "Unknown arm"), path
        assert f"X-Adi-Arm: '{arm}' is not one of the arms old, new." in reply.body["detail"]
    assert "Did you mean 'new'?" in server.ask("/v1/bundle", headers={"X-Adi-Arm": "nwe"}).body["detail"]


def test_without_an_experiment_there_is_no_arm(served) -> None:
    reply = served.ask("/v1/retrieve", {"user": "ana"}, headers={"X-Adi-Arm": "old"})
    assert (reply.status, reply.body["detail"]) == (
        422,
        "X-Adi-Arm: 'old' is not an arm, since no experiment is served. Leave the header out.",
    )
    assert served.ask("/v1/bundle").body["arm"] is None


def test_a_failed_request_is_named_whatever_its_arm(server) -> None:
    reply = server.ask("/v1/retrieve", {"requests": [{"user": "ana"}, {"user": "nobody"}]})
    assert (reply.status, reply.body["detail"].startswith("requests.1: user 'nobody'")) == (422, True)


def test_requests_and_versions_are_counted_by_arm(serving, bundles, between) -> None:
    server = serving(between(*bundles))
    arms = Counter(between(*bundles).arm_of(user) for user in USERS)
    server.ask("/v1/retrieve", {"requests": [{"user": user} for user in USERS]})
    server.ask("/v1/retrieve", {"user": "ana"}, headers={"X-Adi-Arm": "new"})
    server.ask("/v1/retrieve", {"history": ["pen"]})
    server.ask("/v1/retrieve", {"requests": [{"user": "ana"}, {"user": "nobody"}]})  # not answered, so not counted
    lines = server.ask("/metrics").body.splitlines()
    samples = {line for line in lines if line.startswith(("adi_arm_requests_total", "adi_bundle{"))}
    assert samples == {
        f'adi_arm_requests_total{{arm="old",assignment="hash"}} {arms["old"]:.1f}',
        f'adi_arm_requests_total{{arm="new",assignment="hash"}} {arms["new"]:.1f}',
        'adi_arm_requests_total{arm="new",assignment="header"} 1.0',
        'adi_arm_requests_total{arm="old",assignment="none"} 1.0',
        *(f'adi_bundle{{arm="{arm}",version="{each.version}"}} 1.0' for arm, each in server.service.bundles.items()),
    }


def test_events_count_in_every_arm(serving, bundles, between) -> None:
    server = serving(between(*bundles))
    assert server.ask("/v1/events", {"user": "who", "events": [{"item": "pen", "domain": "feed"}]}).status == 204
    for arm in ("old", "new"):
        reply = server.ask("/v1/retrieve", {"user": "who"}, headers={"X-Adi-Arm": arm})
        assert (reply.status, reply.body["results"][0]["arm"]) == (200, arm)


def test_context_that_only_another_arm_has_is_left_out(serving, bundles, between, monkeypatch) -> None:
    """The control is made to lack the feature 'hour', as if the treatment were the first model with it."""
    service = serving(between(*bundles)).service
    control = service.bundles["old"]
    monkeypatch.setitem(vars(control), "context", {"device"})
    contexts: list[Mapping[str, str]] = []
    answer = Retriever.answer

    def record(self: Retriever, requests: Sequence[Request]) -> Any:
        contexts.extend(request.context for request in requests)
        return answer(self, requests)

    monkeypatch.setattr(Retriever, "answer", record)
    known = {"history": ["pen"], "domains": ["feed"], "context": {"device": "phone", "hour": "9"}}
    unknown = known | {"context": {"sky": "blue"}}
    calls = [
        RetrieveCall([RetrieveRequest.model_validate(request)], arm)
        for request, arm in ((known, "old"), (known, "new"), (unknown, "old"))
    ]
    *answers, problem = service.answer(calls)
    assert [each["results"][0]["arm"] for each in answers] == ["old", "new"]
    assert contexts == [{"device": "phone"}, {"sky": "blue"}, {"device": "phone", "hour": "9"}]
    assert problem.failure.status == 422
    assert "context 'sky' is not a context feature" in problem.detail


def test_an_arm_without_a_bundle_is_named(bundles, between, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=f"experiment ranker-2, arm 'new': {tmp_path}: not a bundle"):
        Service(between(bundles[0], tmp_path), Metrics())


def test_bundles_with_different_domains_are_refused(bundles, between, monkeypatch) -> None:
    def domains(bundle: LiveBundle) -> tuple[str, ...]:
        names = bundle.retriever.dataset.domains
        return (*names[1:], names[0]) if bundle.arm == "old" else names[:2]

    monkeypatch.setattr(LiveBundle, "domains", property(domains))
    with pytest.raises(AdiError, match=r"arm 'new': .*bundle-1 lacks domain 'kiosk', which arm 'old' has"):
        Service(between(*bundles), Metrics())


def test_arms_may_share_a_bundle_and_order_their_domains_differently(bundles, between, monkeypatch) -> None:
    """A shared bundle makes an A/A test, whose arms differ only in their users."""
    order = {"old": 1, "new": -1}
    monkeypatch.setattr(
        LiveBundle, "domains", property(lambda bundle: bundle.retriever.dataset.domains[:: order[bundle.arm]])
    )
    service = Service(between(bundles[0], bundles[0]), Metrics())
    assert len({bundle.version for bundle in service.bundles.values()}) == 1


def test_an_experiment_watches_no_folder(bundles, between) -> None:
    with pytest.raises(AdiError, match="watch: an experiment compares the bundles of its file"):
        Watcher(Service(between(*bundles), Metrics()), bundles[0].parent, print)


def test_the_openapi_document_has_arm_version_and_header(server) -> None:
    document = server.ask("/openapi.json").body
    schemas = document["components"]["schemas"]
    assert set(schemas["RetrieveResponse"]["required"]) == {"results"}
    required = {"version", "arm", "domains", "ignored", "without_events", "without_trends"}
    assert set(schemas["RetrieveResult"]["required"]) == required
    with_header = {
        (path, method)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if any(parameter["name"] == "X-Adi-Arm" for parameter in operation.get("parameters", []))
    }
    assert with_header == {
        ("/v1/retrieve", "post"),
        ("/v1/items", "post"),
        *((f"/v1/{path}", "get") for path in ("domains", "bundle", "users", "items", "users/{user}", "trending")),
    }
