"""Servers of a portion of a bundle with trends: clicks count as in a server of the whole bundle."""

import pytest

from adi.bundle.portion import WHOLE, Portion, Shard
from adi.errors import AdiError
from adi.router.merge import merge_shards
from adi.serving.events import SqliteEventStore
from adi.serving.metrics import Metrics
from adi.serving.requests import RetrieveCall, RetrieveRequest
from adi.serving.service import Service

NOW = 32_400.0


@pytest.fixture(params=["trending_bundle", "audience_bundle"])
def service_of(request, clock):
    """A function that makes a service of a portion of a bundle; all services have one store of events."""
    bundle, events = request.getfixturevalue(request.param), SqliteEventStore()
    clock.now = NOW + 600

    def make(portion=WHOLE):
        return Service(bundle, Metrics(), events, portion=portion, clock=clock)

    return make


def click(service, count: int) -> None:
    """Let users click items in both domains, and count the clicks."""
    items = service.bundle().retriever.dataset.items.keys_of(service.bundle().retriever.engine.items(0))
    domains = service.bundle().retriever.dataset.domains
    for number in range(count):
        event = (items[number % 3], domains[number % len(domains)])
        service.events.add(f"new-{number % 5}", [event], [(NOW + number, {})])


def lists_of(service, domain: str, **request):
    (answer,) = service.answer([RetrieveCall([RetrieveRequest(domains=[domain], explain=True, **request)])])
    assert not answer["results"][0]["without_trends"]
    return answer["results"][0]["domains"][domain]


def test_shards_and_domains_answer_as_the_whole(service_of) -> None:
    whole = service_of()
    domain, *_ = whole.bundle().domains
    shards = [service_of(Portion(shard=Shard(number, 3))) for number in (1, 2, 3)]
    alone = service_of(Portion((domain,)))
    items = whole.bundle().retriever.dataset.items.keys_of(whole.bundle().retriever.engine.items(0))
    quiet = lists_of(whole, domain, history=items[:2], k=9)
    click(whole, 60)
    for service in (whole, alone, *shards):
        service.refresh_trends()
    expected = lists_of(whole, domain, history=items[:2], k=9)
    assert expected["scores"] != quiet["scores"]  # the clicks count
    assert lists_of(alone, domain, history=items[:2], k=9) == expected
    merged = merge_shards([lists_of(shard, domain, history=items[:2], k=9) for shard in shards], 9)
    assert merged["items"] == list(expected["items"])
    assert merged["scores"] == pytest.approx(expected["scores"], rel=1e-6)
    for name, values in expected["parts"].items():
        assert merged["parts"][name] == pytest.approx(values, abs=1e-5)


def test_what_is_trending_in_a_domain_that_is_not_served(service_of) -> None:
    domain, other = service_of().bundle().domains[:2]
    retriever = service_of(Portion((domain,))).bundle().retriever
    with pytest.raises(AdiError, match=rf"domain '{other}' is not served here\. This server has {domain}"):
        retriever.answered_number(other)
