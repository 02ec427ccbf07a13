"""Which tokens hold a stream open, and whether they still may: a request is asked once, a stream goes on for days.

One look for all streams of the process, some times a second: so a thousand streams cost no more than one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from cylinder_trace.store.accounts import out_of_force

log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.4


@dataclass(slots=True, eq=False)
class _Stream:
    token_sha256: str
    coming: asyncio.Task[bytes | None] | None = None
    """What it waits for."""


class OpenStreams:
    """The streams of one process."""

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        self._engine, self._clock = engine, clock
        self._streams: set[_Stream] = set()
        self._gone: set[str] = set()
        self._watch: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._streams)

    async def while_in_force(self, token_sha256: str, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The events, until the token is revoked or has ended: then at once, whether or not anything comes."""
        stream = _Stream(token_sha256)
        self._streams.add(stream)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_again_and_again())
        try:
            while True:
                stream.coming = coming = asyncio.create_task(_next(events))
                event = await coming
                if event is None or token_sha256 in self._gone:
                    return
                yield event
        except asyncio.CancelledError:
            if token_sha256 not in self._gone:
                raise
        finally:
            self._streams.discard(stream)

    async def _look_again_and_again(self) -> None:
        while self._streams:
            await asyncio.sleep(_LOOK_EVERY_S)
            tokens = list({stream.token_sha256 for stream in self._streams})
            try:
                self._gone = await asyncio.to_thread(out_of_force, self._engine, tokens, self._clock())
            except (SQLAlchemyError, OSError) as error:  # it is looked again; the feed too waits for the database
                log.warning("open streams cannot be looked up: %s", type(error).__name__)
                continue
            for stream in self._streams:
                if stream.token_sha256 in self._gone and stream.coming is not None:
                    stream.coming.cancel()


async def _next(events: AsyncIterator[bytes]) -> bytes | None:
    return await anext(events, None)
