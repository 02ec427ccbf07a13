"""All rows of the table, in the order in which they are shown."""

from benchmarks.measure import Row
from benchmarks.rows import api, codes, labels, reading, store, trace

ROWS: tuple[Row, ...] = (
    codes.SIGN,
    codes.VERIFY_STATEMENT,
    reading.READ,
    labels.LABELS,
    trace.DECIDE_FILL,
    store.APPEND_ONE,
    api.FILL_CHECK,
)
