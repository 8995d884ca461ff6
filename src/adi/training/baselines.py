"""Baselines fitted along with a training: what a user would serve without it, on the same validation rows."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.manifest import Manifest
from adi.evaluation.evaluate import evaluate, known_in_validation
from adi.evaluation.ranking import Rankings
from adi.models.catalog import MODELS
from adi.models.co_clicks import CO_CLICKS, CoClickSettings
from adi.models.model import FittedModel
from adi.models.popularity import Popularity, RecentPopularity
from adi.models.scorer import Scorer
from adi.processes.group import ALONE, Processes
from adi.runs.baselines import Baselines, DomainBaselines, significantly
from adi.training.defaults import MOST_PAIRS, MOST_ROWS, num_rows, pairs_of_rows
from adi.training.settings import settings_for

ROWS = 2000
"""The largest number of validation rows of a domain."""

EASE_ITEMS = 5000
"""EASE is left out where there are more items: solving takes more than seconds."""


BY_DOMAIN = ("personal-popularity", "item-knn")
"""Those that are also fitted to each domain alone."""


class Named(NamedTuple):
    """A fitted baseline and its name in words."""

    name: str
    scorer: Scorer


def quick_models(manifest: Manifest) -> list[str]:
    """The models without training, besides popularity, that the data has what they need for, and that are quick."""
    quick = {
        "personal-popularity": manifest.repeats,
        "sequential-rules": manifest.time is not None and num_rows(manifest) <= MOST_ROWS,
        "item-knn": pairs_of_rows(manifest) <= MOST_PAIRS,
        "ease": manifest.items <= EASE_ITEMS,
    }
    return [name for name, is_quick in quick.items() if is_quick]


def baselines_of(dataset: Dataset) -> Iterator[Named]:
    """Fit the baselines that are quick on a dataset, one after the other."""
    manifest = dataset.manifest
    yield Named("popularity", Popularity(dataset))
    if manifest.drift is not None:
        yield Named("popularity of late", Popularity(dataset, manifest.drift.half_life))
    if manifest.trend is not None:
        yield Named("clicks of late", RecentPopularity((len(manifest.trend.half_lives) - 1) // 2))
        if manifest.trend.co_clicks is not None:
            yield Named("co-clicks", CO_CLICKS.fit(dataset, CoClickSettings()))
        return
    for name in quick_models(manifest):
        model = MODELS[name]
        assert isinstance(model, FittedModel)
        yield Named(name, model.fit(dataset, settings_for(model).model))
        if name in BY_DOMAIN and len(dataset.domains) > 1:
            yield Named(f"{name} by domain", model.fit(dataset, settings_for(model, {"scope": "domain"}).model))


def beside(model: str, scorers: Sequence[Scorer], dataset: Dataset, k: int, processes: Processes = ALONE) -> Baselines:
    """Compare a model, trained on the training rows of a dataset, with baselines on its validation rows.

    `scorers` are the model's: one, or several that differ in what was chosen on validation rows, of which number i is
    for the rows of users whose number is i modulo their number.
    """
    hits_of_model = _hits(scorers, dataset, k, processes)
    domains: dict[str, DomainBaselines] = {}
    hits = {name: _hits([fitted], dataset, k, processes) for name, fitted in baselines_of(dataset)}
    for domain, of_model in hits_of_model.items():
        gains = {name: of_baseline[domain] for name, of_baseline in hits.items()}
        better = {name: int((of_model & ~hit).sum()) for name, hit in gains.items()}
        worse = {name: int((hit & ~of_model).sum()) for name, hit in gains.items()}
        domains[domain] = DomainBaselines(
            rows=len(of_model),
            model=float(of_model.mean()),
            baselines={name: float(hit.mean()) for name, hit in gains.items()},
            ahead=tuple(name for name in gains if significantly(worse[name], better[name])),
            behind=tuple(name for name in gains if significantly(better[name], worse[name])),
        )
    return Baselines(model=model, k=k, domains=domains)


def _hits(scorers: Sequence[Scorer], dataset: Dataset, k: int, processes: Processes) -> dict[str, Array]:
    """A mask of the validation rows whose item is in the top `k` (n,), by domain with such rows."""
    hits: dict[str, Array] = {}
    for number, scorer in enumerate(scorers):

        def done(domain: str, rankings: Rankings, number: int = number) -> None:
            if len(rankings.ranks):
                of_number = rankings.users % len(scorers) == number
                hits[domain] = np.where(of_number, rankings.ranks < k, hits.get(domain, False))

        evaluate(
            scorer,
            dataset,
            part="validation",
            known=known_in_validation(dataset),
            ks=(k,),
            rows_per_domain=ROWS,
            done=done,
            processes=processes,
        )
    return hits
