"""Bundles at work: opened, warmed up and described."""

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

from adi.bundle.manifest import read_bundle_info
from adi.errors import AdiError
from adi.retrieval.retriever import Retriever
from adi.serving.experiment import Experiment
from adi.serving.lookups import attribute_names, context_features


@dataclass(frozen=True)
class LiveBundle:
    """An opened bundle, and its arm in an experiment."""

    path: Path
    created: str
    retriever: Retriever
    arm: str | None = None

    @property
    def version(self) -> str:
        return self.retriever.engine.version

    @property
    def domains(self) -> tuple[str, ...]:
        return self.retriever.dataset.domains

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
            **self.retriever.engine.about(),
            "context": context_features(self.retriever.dataset),
            "attributes": attribute_names(self.retriever.dataset),
        }


def open_bundle(path: Path, *, verify: bool = False, arm: str | None = None) -> LiveBundle:
    """Open a bundle and answer a request in each domain, so that its files are mapped and its code has run.

    With `verify` every byte is compared with the manifest. Raises `AdiError` for a bundle that is incomplete or cannot
    answer.
    """
    info = read_bundle_info(path, verify=verify)
    bundle = LiveBundle(path, info.created, Retriever(path), arm)
    for domain in bundle.domains:
        bundle.retriever.retrieve(domain, history=[], k=1)
    _ = bundle.description  # computed now rather than in a request
    return bundle


def open_arms(experiment: Experiment) -> dict[str | None, LiveBundle]:
    """Open the bundle of each arm; raises `AdiError` as `open_bundle` does, and for bundles with different domains."""
    bundles: dict[str | None, LiveBundle] = {}
    for name, arm in experiment.arms.items():
        try:
            bundles[name] = open_bundle(arm.bundle, arm=name)
        except AdiError as error:
            raise AdiError(f"experiment {experiment.name}, arm '{name}': {error}") from None
    for bundle, other in permutations(bundles.values(), 2):
        if missing := [domain for domain in other.domains if domain not in bundle.domains]:
            raise AdiError(
                f"experiment {experiment.name}, arm '{bundle.arm}': {bundle.path} lacks domain '{missing[0]}', which "
                f"arm '{other.arm}' has. Every arm must answer every request: give bundles with the same domains."
            )
    return bundles
