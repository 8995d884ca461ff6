"""What a server counts, for Prometheus."""

from collections.abc import Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Upper ends of the histograms' buckets, in seconds."""


class Metrics:
    """Its own registry, so that a process may have several servers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("adi_requests", "Requests by status.", ["status"], registry=self.registry)
        self._stages = Histogram(
            "adi_stage_seconds",
            "Time of a request by stage: read, queue, work, within which events, and write.",
            ["stage"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._domains = Histogram(
            "adi_retrieve_seconds",
            "Time of one top-K by arm and domain.",
            ["arm", "domain"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._parts = Histogram(
            "adi_retrieve_stage_seconds",
            "Time of one top-K by arm, domain and stage: features, filter, tower, index, output.",
            ["arm", "domain", "stage"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.in_flight = Gauge("adi_requests_in_flight", "Requests waiting or at work.", registry=self.registry)
        self._no_store = Counter(
            "adi_events_unavailable",
            "Times that the store of events did not answer: nothing was kept (add), or an answer lacks them (read).",
            ["request"],
            registry=self.registry,
        )
        for request in ("add", "read"):
            self._no_store.labels(request)  # 0 from the start, so that a first one is an increase
        self._refused = Counter("adi_bundles_refused", "New bundles that were not taken.", registry=self.registry)
        self._bundle = Gauge(
            "adi_bundle", "1 for the version that is live, in each arm.", ["arm", "version"], registry=self.registry
        )
        self._arms = Counter(
            "adi_arm_requests",
            "Requests that an arm answered, each of a body, by what chose the arm.",
            ["arm", "assignment"],
            registry=self.registry,
        )
        self.exposures_written = Counter(
            "adi_exposures_written", "Exposures that are in a file.", registry=self.registry
        )
        self.exposures_dropped = Counter(
            "adi_exposures_dropped", "Exposures that are in none, for there was no room.", registry=self.registry
        )
        self.exposures_failed = Counter(
            "adi_exposures_failed", "Files of exposures that could not be written.", registry=self.registry
        )

    def answered(self, status: int) -> None:
        self._requests.labels(str(status)).inc()

    def stages(self, seconds: Mapping[str, float]) -> None:
        """Stages of one request, whatever it asks for."""
        for name, own in seconds.items():
            self._stages.labels(name).observe(own)

    def retrieved(self, arm: str | None, domain: str, stages: Mapping[str, float]) -> None:
        """One top-K, which took what its stages took together. A domain is one of the bundle's: there are no others.

        The arm is None, an empty label and so the same as none, without an experiment.
        """
        self._domains.labels(arm or "", domain).observe(sum(stages.values()))
        for name, seconds in stages.items():
            self._parts.labels(arm or "", domain, name).observe(seconds)

    def answered_by(self, arm: str, assignment: str) -> None:
        self._arms.labels(arm, assignment).inc()

    def no_store(self, request: Literal["add", "read"]) -> None:
        self._no_store.labels(request).inc()

    def refused(self) -> None:
        self._refused.inc()

    def live(self, versions: Mapping[str | None, str]) -> None:
        """Take note of the version that is live in each arm."""
        self._bundle.clear()
        for arm, version in versions.items():
            self._bundle.labels(arm or "", version).set(1)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry)
