"""The evaluation of a fitted model on a part of a dataset: every domain, the mean over domains, and by group."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Part
from adi.errors import AdiError
from adi.evaluation.breakdown import group_numbers, labels
from adi.evaluation.ranking import Rankings, rank
from adi.metrics import mrr, ndcg, recall
from adi.models.scorer import Scorer

Against = Literal["corpus", "candidates"]
Metrics = dict[str, Any]


def evaluate(
    scorer: Scorer,
    dataset: Dataset,
    *,
    part: Part = "test",
    against: Against = "corpus",
    ks: Sequence[int] = (10, 50, 100),
    causal: bool = True,
    rows_per_domain: int | None = None,
    done: Callable[[str, Rankings], None] | None = None,
) -> Metrics:
    """Rank the item of every row of a part, exactly, and average by domain.

    Args:
        against: rank among the domain's whole corpus, or among the candidates that the split gives for each test row.
        causal: queries see what the user did earlier; False: everything the training part holds of the user, as some
            published figures do.
        rows_per_domain: at most this many rows of each domain, evenly spread over the users; None: all.
        done: called with each domain's name and its rankings, the metrics of which are here.

    Returns:
        ``{"domains": {name: {"queries": n, "corpus": m, "recall@10": ...}}, "mean": {...}, "breakdown": ...}`` and the
        protocol; m counts the items that were ranked, or that were a candidate of any row. A metric of a domain without
        rows is None and is left out of the mean.

    Raises `AdiError` for candidates where a row has none, and for a model whose scores are not finite.
    """
    if against not in get_args(Against):
        raise AdiError(f"against: '{against}' is not one of {', '.join(get_args(Against))}.")
    rows = dataset.rows(part)
    domains_of = dataset.targets(part, rows)[2]
    order = tuple(sorted(set(ks)))
    by_domain: dict[str, Metrics] = {}
    breakdown: dict[str, dict[str, list[Metrics]]] = {}
    for index, name in enumerate(dataset.domains):
        own = rows[domains_of == index]
        if rows_per_domain is not None and len(own) > rows_per_domain:
            own = own[np.linspace(0, len(own) - 1, rows_per_domain).astype(np.int64)]
        given = _candidates(dataset, part, own) if against == "candidates" else None
        rankings = rank(scorer, dataset, part, index, own, candidates=given, causal=causal, ks=order)
        by_domain[name] = _summary(rankings, order)
        for by, values in rankings.by.items():
            breakdown.setdefault(by, {})[name] = _groups(rankings.ranks, by, values, order)
        if done is not None:
            done(name, rankings)
    metrics = [key for key in next(iter(by_domain.values())) if "@" in key]
    mean = {key: _mean([by_domain[name][key] for name in dataset.domains]) for key in metrics}
    return {
        "part": part,
        "against": against,
        "history": "earlier" if causal and dataset.manifest.time is not None else "all others",
        "ks": list(order),
        "domains": by_domain,
        "mean": mean,
        "breakdown": breakdown,
    }


def _candidates(dataset: Dataset, part: Part, rows: Array) -> tuple[Array, Array]:
    """The candidates of rows as items and offsets; raises `AdiError` unless each row has some."""
    if part != "test":
        raise AdiError(f"the split gives candidates for the test rows only; evaluate {part} against the corpus.")
    given = dataset.candidates(rows)
    if given is None:
        raise AdiError(f"{dataset.folder}: the split gives no candidates (split.candidates in its schema.yaml).")
    without = rows[np.diff(given[1]) == 0]
    if len(without):
        users, _, domains = dataset.targets(part, without[:1])
        raise AdiError(
            f"{dataset.folder}: {len(without)} of the {len(rows)} test rows of domain '{dataset.domains[domains[0]]}' "
            f"have no candidates, such as that of user '{dataset.users.key(int(users[0]))}'. Add them to "
            "split.candidates and prepare again, or evaluate against the corpus."
        )
    return given


def _summary(rankings: Rankings, ks: tuple[int, ...]) -> Metrics:
    summary: Metrics = {"queries": len(rankings.ranks), "corpus": rankings.ranked}
    for k in ks:
        summary[f"recall@{k}"] = _number(recall(rankings.ranks, k))
        summary[f"ndcg@{k}"] = _number(ndcg(rankings.ranks, k))
        summary[f"mrr@{k}"] = _number(mrr(rankings.ranks, k))
        summary[f"coverage@{k}"] = rankings.shown[k] / rankings.ranked if len(rankings.ranks) else None
    return summary


def _groups(ranks: Array, by: str, values: Array, ks: tuple[int, ...]) -> list[Metrics]:
    """Recall of the rankings whose value falls in each group; groups without any are left out."""
    numbers = group_numbers(by, values)
    found = []
    for number, label in enumerate(labels(by)):
        own = ranks[numbers == number]
        if len(own):
            found.append({"group": label, "queries": len(own), **{f"recall@{k}": recall(own, k) for k in ks}})
    return found


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
