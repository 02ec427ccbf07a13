"""What Prometheus reads (监控指标): how long answers take, how old the ledger's checkpoint is, what waits.

Each process has its own numbers: let Prometheus scrape every process by its own port, and add up there.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from cylinder_api.service import Service
from cylinder_trace.store.outbox.webhooks import doing

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The numbers of one process."""

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_LedgerNow(service))
        self._seconds = Histogram(
            "pinglian_http_request_seconds", "From the first byte of a request to the last of its answer.",
            ("method", "route", "status"), buckets=_BUCKETS_S, registry=self._registry,
        )  # fmt: skip

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """An answer was given; `route` is the template, so that no id and no code becomes a label."""
        known = method if method in _METHODS else "other"
        self._seconds.labels(known, route, str(status)).observe(seconds)

    def text(self) -> bytes:
        """All of it in Prometheus's text form; reads the database."""
        return generate_latest(self._registry)


class _LedgerNow(Collector):
    """Read at each scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        """Nothing ahead: registering must not read the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """What is true now; without the database only what the process knows by itself."""
        service = self._service
        yield _gauge("group_commit_waiting", "Works that wait for the next group commit.", service.ledger.waiting)
        yield _gauge("streams_open", "Streams of changes that stations hold open.", service.streams.count)
        halted = service.ledger.publisher.halted is not None
        yield _gauge("publishing_halted", "1 when publishing has stopped and a person must look.", halted)
        try:
            yield from self._read()
            reachable = True
        except (SQLAlchemyError, OSError):
            reachable = False
        yield _gauge("database_reachable", "1 when the database answered this scrape.", reachable)

    def _read(self) -> list[Metric]:
        service = self._service
        entries, newest = service.ledger.reader.size(), service.ledger.reader.newest_published()
        published, published_at = newest or (0, service.clock())
        age_s = max(service.clock() - published_at, 0) / 1000 if entries > published else 0
        told = doing(service.ledger.engine)
        return [
            _gauge("webhook_messages_waiting", "Messages to webhooks that were not accepted yet.", told.waiting),
            _gauge("webhooks_failing", "Webhooks whose receivers fail.", told.failing),
            _gauge("webhooks_off", "Webhooks that are switched off.", told.off),
            _gauge("ledger_entries", "Entries that were recorded.", entries),
            _gauge(
                "ledger_unpublished_entries", "Entries that no published checkpoint covers yet.", entries - published
            ),
            _gauge("ledger_published_at_seconds", "When the newest checkpoint was published.", published_at / 1000),
            _gauge("ledger_age_seconds", "For how long entries have waited to be published; 0 when none wait.", age_s),
            _gauge(
                "lists_behind_entries", "Entries that are not in the lists yet.", entries - service.follower.place()
            ),
            _gauge("epcis_behind_entries", "Entries that are not told in EPCIS yet.", entries - service.epcis.place()),
        ]


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pinglian_{name}", what, value=value)
