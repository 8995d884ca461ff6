"""Merging: one result of the results that servers have for parts of a request."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

Result = Mapping[str, Any]
"""The content of a `RetrieveResult`."""

ALIKE = ("version", "arm", "without_events", "without_trends")
"""Values that must be the same in all results that are merged, since scores do not compare otherwise."""


class DifferentAnswersError(Exception):
    """Results that must not be merged, and why."""


def check_alike(results: Sequence[Result], servers: Sequence[str]) -> None:
    """Raise `DifferentAnswersError` for results of different bundles, or of which some lack events or trends.

    Args:
        servers: the server of each result.
    """
    for result, server in zip(results[1:], servers[1:], strict=True):
        for name in ALIKE:
            if result[name] != results[0][name]:
                raise DifferentAnswersError(
                    f"{servers[0]} answers with {name} {results[0][name]!r}, and {server} with {result[name]!r}"
                )


def merge_shards(shards: Sequence[Mapping[str, Any]], k: int) -> dict[str, Any]:
    """Merge the top `k` of all shards of a domain's items, each the content of `RankedItems`.

    Equal scores are ordered by id: that is the order of positions in an index, which orders them on one server, as
    items are numbered in the order of the UTF-8 bytes of their ids, and so of their code points.
    """
    if len(shards) == 1:
        return dict(shards[0])
    candidates = [
        (-score, item, shard, row)
        for shard, ranked in enumerate(shards)
        for row, (item, score) in enumerate(zip(ranked["items"], ranked["scores"], strict=True))
    ]
    best = sorted(candidates)[:k]
    merged: dict[str, Any] = {"items": [item for _, item, _, _ in best], "scores": [-score for score, _, _, _ in best]}
    if "parts" in shards[0]:
        merged["parts"] = _merge_parts([ranked["parts"] for ranked in shards], [(at[2], at[3]) for at in best])
    return merged


def join_domains(results: Sequence[Result], ranked: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Make one result of those which servers have for parts of a request, with the merged items of each domain."""
    ignored: Iterable[str] = chain.from_iterable(result["ignored"] for result in results)
    return dict(results[0]) | {"domains": dict(ranked), "ignored": list(dict.fromkeys(ignored))}


def _merge_parts(
    parts: Sequence[Mapping[str, Sequence[float]] | None], best: Sequence[tuple[int, int]]
) -> dict[str, list[float]] | None:
    """The parts of the merged items, each given as its shard and its row there; None without trends."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return {name: [known[shard][name][row] for shard, row in best] for name in known[0]}
