"""The median of what pieces of work take; workers in other environments use it too, so nothing of ours is imported."""

import statistics
import time
from collections.abc import Callable, Iterable


def median_ms(works: Iterable[Callable[[], object]]) -> float:
    """The median time of `works`, each done once, milliseconds; what brings the next one about does not count."""
    times = []
    for work in works:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)
