"""Readiness: whether each domain has servers that answer, with the shards that the routing table gives them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from adi.router.replicas import Client
from adi.router.table import RoutingTable

State = Mapping[str, Any]
"""The content of a server's `ReadinessResponse`."""


async def server_states(client: Client) -> dict[str, State | None]:
    """Ask all servers whether they are ready; None for one that is not, or does not answer."""
    addresses = list(client.servers)
    return dict(zip(addresses, await asyncio.gather(*(_state(client, each) for each in addresses)), strict=True))


def faults_of(table: RoutingTable, states: Mapping[str, State | None]) -> list[str]:
    """Say which domains, or shards of them, no server answers for, and of each server why."""
    faults = []
    for domain, servers in table.domains.items():
        for number, replicas in enumerate(servers.shards):
            shard = servers.shard_of(number)
            reasons = [_reason(states[address], domain, shard) for address in replicas]
            if all(reasons):
                of = "" if shard is None else f", shard {shard}"
                listed = (f"{address} {reason}" for address, reason in zip(replicas, reasons, strict=True))
                faults.append(f"domain {domain}{of}: {', '.join(listed)}")
    return faults


def versions_of(states: Mapping[str, State | None]) -> list[str]:
    """The versions of bundles that are live, sorted: more than one during a swap."""
    return sorted({str(state["version"]) for state in states.values() if state is not None})


async def _state(client: Client, address: str) -> State | None:
    response = await client.get(address, "/readyz")
    if response is None or response.status_code != 200:
        return None
    try:
        state = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    return state if isinstance(state, dict) and {"version", "domains", "shard"} <= set(state) else None


def _reason(state: State | None, domain: str, shard: str | None) -> str:
    """The reason why a server cannot answer for a shard of a domain; empty if it can."""
    if state is None:
        return "is not ready"
    if domain not in state["domains"]:
        return f"serves {', '.join(state['domains'])}"
    if (state["shard"] or "1/1") != (shard or "1/1"):
        return f"has shard {state['shard'] or '1/1'}"
    return ""
