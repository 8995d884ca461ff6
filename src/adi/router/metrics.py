"""Prometheus metrics of a router."""

from collections.abc import Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from adi.serving.metrics import BUCKETS


class RouterMetrics:
    """Counters, gauges and histograms in a registry of their own.

    Attributes have the names of their metrics, without `adi_` or `adi_router_`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        self.requests = counter("adi_requests", "Requests by status.", ["status"])
        self.requests_in_flight = gauge("adi_requests_in_flight", "Requests being answered.")
        self.refused = counter(
            "adi_requests_refused",
            "Requests given up: too many were being answered (full), or their client had sent too many (client).",
            ["reason"],
        )
        for reason in ("full", "client"):
            self.refused.labels(reason)  # 0 from the start, so that the first is an increase
        self.tries = counter(
            "adi_router_tries",
            "Requests to a server by outcome: answered (also with a client's error), unavailable (its status was 5xx) "
            "or failed (no answer, or not that of the shard which it is to have).",
            ["server", "outcome"],
        )
        self.server_aside = gauge("adi_router_server_aside", "1 for a server whose latest try failed.", ["server"])
        self.answers_differed = counter(
            "adi_router_answers_differed",
            "Times that the answers to one request did not fit together, such as those of two versions during a swap.",
        )
        self._stage_seconds = Histogram(
            "adi_stage_seconds",
            "Time of a request by stage: read, servers (until all answers are merged) and write.",
            ["stage"],
            registry=self.registry,
            buckets=BUCKETS,
        )

    def observe_stages(self, seconds: Mapping[str, float]) -> None:
        """Record the stages of one request."""
        for stage, duration in seconds.items():
            self._stage_seconds.labels(stage).observe(duration)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)
