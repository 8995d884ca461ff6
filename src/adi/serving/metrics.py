"""What a server counts, for Prometheus."""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Upper ends of the histograms' buckets, in seconds."""


class Metrics:
    """Its own registry, so that a process may have several servers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("adi_requests", "Requests by status.", ["status"], registry=self.registry)
        self._stages = Histogram(
            "adi_stage_seconds",
            "Time of a request in the queue and at work.",
            ["stage"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._domains = Histogram(
            "adi_retrieve_seconds", "Time of one top-K by domain.", ["domain"], buckets=BUCKETS, registry=self.registry
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
        self._bundle = Gauge("adi_bundle", "1 for the version that is live.", ["version"], registry=self.registry)

    def answered(self, status: int) -> None:
        self._requests.labels(str(status)).inc()

    def stage(self, name: str, seconds: float) -> None:
        self._stages.labels(name).observe(seconds)

    def retrieved(self, domain: str, seconds: float) -> None:
        self._domains.labels(domain).observe(seconds)

    def no_store(self, request: Literal["add", "read"]) -> None:
        self._no_store.labels(request).inc()

    def refused(self) -> None:
        self._refused.inc()

    def live(self, version: str) -> None:
        self._bundle.clear()
        self._bundle.labels(version).set(1)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry)
