"""The routing table: for each domain the servers that answer it, all alike or each with a shard of the items.

domains:
  search: [http://a:8000, http://b:8000]
  feed: {shards: [[http://c:8000, http://d:8000], [http://e:8000]]}
"""

from collections.abc import Sized
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from adi.strict import Strict, read_yaml

Values = TypeVar("Values", bound=Sized)


def _checked_address(address: str) -> str:
    """The address of a server without a slash at its end."""
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number
        fits = False
    if not fits or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("is not the address of a server. Write http://HOST:PORT")
    return address.rstrip("/")


def _not_empty(values: Values) -> Values:
    if not values:
        raise ValueError("is empty. Name at least one server")
    return values


Address = Annotated[str, AfterValidator(_checked_address)]
Replicas = Annotated[tuple[Address, ...], AfterValidator(_not_empty)]
"""Servers that answer alike."""


class Servers(Strict):
    """The servers of a domain: of each shard, the replicas that hold it. A list alone is one shard, of all items."""

    shards: Annotated[tuple[Replicas, ...], AfterValidator(_not_empty)]

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: object) -> object:
        if isinstance(value, list):
            return {"shards": [value]}
        if not isinstance(value, dict | Servers):
            raise ValueError("is to be a list of servers, or {shards: [[...], [...]]} with a list for each shard")
        return value

    def shard_of(self, number: int) -> str | None:
        """The name of a shard, counted from 0, as `adi serve --shard` has it; None for all items."""
        return None if len(self.shards) == 1 else f"{number + 1}/{len(self.shards)}"


class RoutingTable(Strict):
    """The content of a routing file. A server has the same shard in every domain, since its process has one."""

    domains: Annotated[dict[str, Servers], AfterValidator(_not_empty)]

    @model_validator(mode="after")
    def _one_shard_each(self) -> "RoutingTable":
        known: dict[str, tuple[str, str | None]] = {}
        for domain, servers in self.domains.items():
            addresses = [address for replicas in servers.shards for address in replicas]
            for address in addresses:
                if addresses.count(address) > 1:
                    raise ValueError(f"domains.{domain}: {address} comes twice. Name each server once")
            for number, replicas in enumerate(servers.shards):
                shard = servers.shard_of(number)
                for address in replicas:
                    other, shard_there = known.setdefault(address, (domain, shard))
                    if shard_there != shard:
                        raise ValueError(
                            f"domains.{domain}: {address} is the shard {shard or '1/1'} here, and "
                            f"{shard_there or '1/1'} in {other}. A server has one shard in all of its domains"
                        )
        return self


def load_table(path: Path) -> RoutingTable:
    """Read and check a routing file; raises `AdiError` naming the file, the key and the value at fault."""
    return read_yaml(path, RoutingTable)
