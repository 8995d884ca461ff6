"""Bundles at work: opened, warmed up and described."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

from adi.bundle.engine import BundleEngine
from adi.bundle.manifest import read_bundle_info
from adi.bundle.portion import WHOLE, Portion
from adi.bundle.trends import Trends
from adi.data.dataset import Dataset
from adi.errors import AdiError
from adi.retrieval.retriever import Retriever
from adi.serving.click_feed import ClickFeed
from adi.serving.experiment import Experiment
from adi.serving.lookups import attribute_names, context_features, display_of
from adi.serving.trending import half_lives_of

FeedOf = Callable[[Dataset, Trends, str | None], ClickFeed]
"""Makes the feed of a bundle's counters, from its data, its counters and its arm."""


@dataclass(frozen=True)
class LiveBundle:
    """An opened bundle, its arm in an experiment, and the feed of its counters if it has trends."""

    path: Path
    created: str
    retriever: Retriever
    arm: str | None = None
    feed: ClickFeed | None = None
    portion: Portion = WHOLE

    @property
    def trends(self) -> Trends | None:
        """The counters of the bundle; None without trends."""
        engine = self.retriever.engine
        return engine.trends if isinstance(engine, BundleEngine) else None

    @property
    def version(self) -> str:
        return self.retriever.engine.version

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that are served."""
        return self.retriever.domains

    @cached_property
    def context(self) -> set[str]:
        """Names of the context features."""
        return {feature["name"] for feature in self.description["context"]}

    @cached_property
    def description(self) -> dict[str, Any]:
        """The content of a `BundleResponse` without the experiment's arms."""
        return {
            "version": self.version,
            "arm": self.arm,
            "domains": list(self.domains),
            "shard": None if self.portion.shard is None else str(self.portion.shard),
            **self.retriever.engine.about(),
            "half_lives": None if self.trends is None else half_lives_of(self.retriever.dataset),
            "context": context_features(self.retriever.dataset),
            "attributes": attribute_names(self.retriever.dataset),
            "display": display_of(self.retriever.dataset),
        }


def open_bundle(
    path: Path,
    *,
    verify: bool = False,
    arm: str | None = None,
    feed_of: FeedOf | None = None,
    portion: Portion = WHOLE,
) -> LiveBundle:
    """Open a bundle and answer for a new and a known user in each domain, so that its files and its code are used.

    Only `portion` is loaded. `feed_of` makes the feed of its counters, which then count all clicks so far. With
    `verify` every byte is compared with the manifest. Raises `AdiError` for a bundle that is incomplete, cannot answer,
    or lacks a domain of the portion.
    """
    info = read_bundle_info(path, verify=verify)
    bundle = LiveBundle(path, info.created, Retriever(path, portion=portion), arm, portion=portion)
    if feed_of is not None and bundle.trends is not None:
        feed = feed_of(bundle.retriever.dataset, bundle.trends, arm)
        feed.refresh()
        bundle = replace(bundle, feed=feed)
    users = bundle.retriever.dataset.users
    known = users.key(0) if len(users) else None
    for domain in bundle.domains:
        bundle.retriever.retrieve(domain, history=[], k=1)
        if known is not None:
            bundle.retriever.retrieve(domain, user=known, k=1)
    _ = bundle.description  # computed now rather than in a request
    return bundle


def open_arms(
    experiment: Experiment, feed_of: FeedOf | None = None, portion: Portion = WHOLE, *, verify: bool = False
) -> dict[str | None, LiveBundle]:
    """Open the bundle of each arm; raises `AdiError` as `open_bundle` does, and for bundles with different domains."""
    bundles: dict[str | None, LiveBundle] = {}
    for name, arm in experiment.arms.items():
        try:
            bundles[name] = open_bundle(arm.bundle, verify=verify, arm=name, feed_of=feed_of, portion=portion)
        except AdiError as error:
            raise AdiError(f"experiment {experiment.name}, arm '{name}': {error}") from None
    for bundle, other in permutations(bundles.values(), 2):
        if missing := [domain for domain in other.domains if domain not in bundle.domains]:
            raise AdiError(
                f"experiment {experiment.name}, arm '{bundle.arm}': {bundle.path} lacks domain '{missing[0]}', which "
                f"arm '{other.arm}' has. Every arm must answer every request: give bundles with the same domains."
            )
    return bundles
