"""All rows of the table, in the order in which they are shown."""

from benchmarks.measure import Row
from benchmarks.rows import (
    api,
    audit,
    codes,
    labels,
    reading,
    store,
    store_peers,
    store_postgres,
    store_published,
    trace,
)

ROWS: tuple[Row, ...] = (
    codes.SIGN,
    codes.VERIFY_STATEMENT,
    reading.READ,
    labels.LABELS,
    trace.DECIDE_FILL,
    store.APPEND_ONE,
    store.APPEND_64,
    store.APPEND_64_P99,
    store.APPEND_1000,
    store_published.PUBLISHED_P99,
    store_published.PUBLISHED_WHEN_WAITING_P99,
    store_postgres.APPEND_1000,
    store_postgres.APPEND_LOCKED,
    store_peers.APPEND_EVENTSOURCING,
    store_peers.PROOF_PYMERKLE,
    audit.INTEGRITY,
    audit.INTEGRITY_RATE,
    audit.FULL,
    audit.TWO_CORES,
    audit.INCREMENTAL,
    api.FILL_CHECK,
)
