"""Prometheus metrics of a server."""

from collections.abc import Mapping
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Upper bounds of the histograms' buckets, in seconds."""

REFUSALS = ("full", "late", "expired", "slow", "left", "client")
"""Reasons for which a server gives up on a request that is right (`adi.serving.admission`)."""


class Metrics:
    """Counters, gauges and histograms in a registry of their own, so that a process may run several servers.

    Attributes have the names of their metrics, without `adi_`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry, buckets=BUCKETS)
        self.requests = counter("adi_requests", "Requests by status.", ["status"])
        self.requests_in_flight = gauge("adi_requests_in_flight", "Requests queued or being answered.")
        self.refused = counter(
            "adi_requests_refused",
            "Requests given up: the queue was full, they would have been late, expired in it or were too slow, "
            "their client had left or had sent too many.",
            ["reason"],
        )
        for reason in REFUSALS:
            self.refused.labels(reason)
        self.arm_requests = counter(
            "adi_arm_requests",
            "Requests that an arm answered, each one of a batch, by what chose the arm.",
            ["arm", "assignment"],
        )
        self.bundle = gauge("adi_bundle", "1 for the live version of each arm.", ["arm", "version"])
        self.bundles_refused = counter("adi_bundles_refused", "New bundles that were refused.")
        self.watch_failures = counter(
            "adi_watch_failures", "Looks at a watched folder of bundles that failed; the live bundle stays."
        )
        self.watch_looked = gauge("adi_watch_looked_seconds", "Unix time of the last look at a watched folder.")
        self.mirror_failures = counter(
            "adi_mirror_failures", "Looks at a remote folder of bundles that failed; the live bundle stays."
        )
        self.events_unavailable = counter(
            "adi_events_unavailable",
            "Failures of the event store: events were not kept (add), or an answer lacks them (read).",
            ["request"],
        )
        for request in ("add", "read"):
            self.events_unavailable.labels(request)  # 0 from the start, so that the first failure is an increase
        self.events_malformed = counter("adi_events_malformed", "Stored entries that are no events, when read.")
        self.lists_without_trends = counter(
            "adi_lists_without_trends", "Lists of bundles with trends that were answered without them."
        )
        self.clicks = counter("adi_clicks", "Clicks that the counters of an arm took in.", ["arm"])
        self.clicks_ignored = counter(
            "adi_clicks_ignored",
            "Clicks that the counters of an arm ignored: from the future, a duplicate, before the end of the bundle's "
            "log (old), of an item or domain that it lacks (unknown), or of another form (malformed).",
            ["arm", "reason"],
        )
        self.trends_age = gauge("adi_trends_age_seconds", "Seconds since an arm's counters had all clicks.", ["arm"])
        self.exposures_written = counter("adi_exposures_written", "Exposures written to a file.")
        self.exposures_dropped = counter("adi_exposures_dropped", "Exposures dropped for lack of room.")
        self.exposures_failed = counter("adi_exposures_failed", "Files of exposures that could not be written.")
        stage_seconds = histogram(
            "adi_stage_seconds",
            "Time of a request by stage: read, queue, work (which includes events) and write.",
            ["stage"],
        )
        retrieve_seconds = histogram("adi_retrieve_seconds", "Time of one top-K by arm and domain.", ["arm", "domain"])
        retrieve_stage_seconds = histogram(
            "adi_retrieve_stage_seconds",
            "Time of one top-K by arm, domain and stage: features, filter, tower, index, output.",
            ["arm", "domain", "stage"],
        )
        # Every request observes these several times, and `labels` is slow.
        self._stage_seconds = cache(stage_seconds.labels)
        self._retrieve_seconds = cache(retrieve_seconds.labels)
        self._retrieve_stage_seconds = cache(retrieve_stage_seconds.labels)

    def observe_stages(self, seconds: Mapping[str, float]) -> None:
        """Record the stages of one request of any route."""
        for stage, duration in seconds.items():
            self._stage_seconds(stage).observe(duration)

    def observe_retrieval(self, arm: str | None, domain: str, seconds: Mapping[str, float]) -> None:
        """Record one top-K by its stages. Without an experiment the arm is None, which becomes an empty label."""
        self._retrieve_seconds(arm or "", domain).observe(sum(seconds.values()))
        for stage, duration in seconds.items():
            self._retrieve_stage_seconds(arm or "", domain, stage).observe(duration)

    def set_live(self, versions: Mapping[str | None, str]) -> None:
        """Set the live version of each arm."""
        self.bundle.clear()
        for arm, version in versions.items():
            self.bundle.labels(arm or "", version).set(1)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)
