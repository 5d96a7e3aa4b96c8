"""Prometheus metrics, named as TF Serving names them where it has them."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

PREFIX = ":tensorflow:serving:"
MICROSECONDS = tuple(10.0 * 1.8**power for power in range(28))  # 10 µs to 78 s
ROWS = tuple(2.0**power for power in range(11))


class Metrics:
    """One registry, so that two servers in a process count apart."""

    def __init__(self) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self.requests = self.counter(
            "request_count", "Requests by model and status.", ("model_name", "status")
        )
        self.latency = self.histogram(
            "request_latency",
            "Of a request, microseconds.",
            ("model_name", "API", "entrypoint"),
            MICROSECONDS,
        )
        self.runtime = self.histogram(
            "runtime_latency",
            "Of TensorFlow alone, microseconds.",
            ("model_name", "API", "runtime"),
            MICROSECONDS,
        )
        self.warm_up = self.histogram(
            "model_warmup_latency",
            "Loading and warm-up, microseconds.",
            ("model_path", "status"),
            MICROSECONDS,
        )
        self.waiting = self.histogram(
            "batching_session:queuing_latency", "In the queue, microseconds.", ("model_name",), MICROSECONDS
        )
        self.batch_rows = self.histogram(
            "batching_session:processed_batch_size", "Rows of a batch.", ("model_name",), ROWS
        )
        self.queued = Gauge(
            PREFIX + "batching_session:queued_requests", "Requests that wait.", registry=self.registry
        )
        self.versions = Gauge(
            PREFIX + "model_version_state",
            "State of a version as in ModelVersionStatus (30: available).",
            ("model_name", "version"),
            registry=self.registry,
        )

    def counter(self, name: str, what: str, labels: Iterable[str]) -> Counter:
        return Counter(PREFIX + name, what, labels, registry=self.registry)

    def histogram(self, name: str, what: str, labels: Iterable[str], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(PREFIX + name, what, labels, buckets=buckets, registry=self.registry)

    def page(self) -> bytes:
        # The library adds a suffix to counters, which TF Serving's names lack.
        return generate_latest(self.registry).replace(b"request_count_total", b"request_count")
