"""Routing files: what they mean, and the faults that are refused."""

import re

import pytest

from adi.errors import AdiError

EXAMPLE = """
domains:
  search: [http://a:8000, "http://b:8000/"]
  feed: {shards: [[http://c:8000, http://d:8000], [https://e/adi]]}
"""


def test_an_example(read) -> None:
    search, feed = read(EXAMPLE).domains.values()
    assert search.shards == (("http://a:8000", "http://b:8000"),)
    assert feed.shards == (("http://c:8000", "http://d:8000"), ("https://e/adi",))
    assert [search.shard_of(0), feed.shard_of(0), feed.shard_of(1)] == [None, "1/2", "2/2"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("domains: {}", "domains: is empty. Name at least one server"),
        ("servers: {}", "servers: is not a known key. Known: domains."),
        ("[]", "is to be a mapping with the keys domains."),
        ("domains: {search: []}", "domains.search: is empty. Name at least one server"),
        ("domains: {search: {shards: [[]]}}", "domains.search.shards.0: is empty. Name at least one server"),
        ("domains: {search: {shards: []}}", "domains.search.shards: is empty."),
        ("domains: {search: {shard: [[http://a]]}}", "domains.search.shard: is not a known key."),
        ("domains: {search: http://a:8000}", "domains.search: is to be a list of servers"),
        ("domains: {search: [a:8000]}", "is not the address of a server. Write http://HOST:PORT (got 'a:8000')"),
        (
            "domains: {search: ['http://a:x']}",
            "is not the address of a server. Write http://HOST:PORT (got 'http://a:x')",
        ),
        ("domains: {search: ['http://u:p@a']}", "is not the address of a server"),
        ("domains: {search: [http://a, http://a/]}", "domains.search: http://a comes twice. Name each server once"),
        (
            "domains: {search: {shards: [[http://a], [http://b]]}, feed: [http://b]}",
            "domains.feed: http://b is the shard 1/1 here, and 2/2 in search. A server has one shard",
        ),
        ("domains: {search: [http://a]}\ndomains: {}", "the key 'domains' comes twice"),
    ],
)
def test_a_fault_names_the_file_the_key_and_the_value(read, text: str, fault: str) -> None:
    with pytest.raises(AdiError, match=re.escape(fault)) as caught:
        read(text)
    assert "routing.yaml: " in str(caught.value)
