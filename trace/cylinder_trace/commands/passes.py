"""What every pass over a whole ledger needs, in one process or in several."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cylinder_trace.auditing.references import Span, differing


@contextmanager
def few_collections() -> Iterator[None]:
    """Keep the garbage collector from walking through rows and states: none of them refers to itself in a circle."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def spans_that_differ(source: Any, spans: Sequence[Span]) -> list[Span]:
    """The spans, which follow on each other, in which the stored references are not what the entries say."""
    return differing(spans, source.references(spans[0].first, spans[-1].stop)) if spans else []
