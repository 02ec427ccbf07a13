"""Which tokens hold a stream open, and whether they still may: a request is asked once, a stream goes on for days.

One query for all streams of the process, at most some times a second: so a thousand streams cost no more than one.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

from sqlalchemy import Engine

from cylinder_trace.store.accounts import revoked_among

_LOOK_EVERY_S = 0.2


class OpenStreams:
    """The streams of one process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: Counter[str] = Counter()
        self._gone: set[str] = set()
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    @property
    def count(self) -> int:
        """How many are open."""
        return self._open.total()

    async def while_in_force(self, token_sha256: str, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The stream, until the token is revoked or has ended; looked at before each event is let through."""
        self._open[token_sha256] += 1
        try:
            async for event in stream:
                if await self._is_gone(token_sha256):
                    return
                yield event
        finally:
            self._open[token_sha256] -= 1
            if not self._open[token_sha256]:
                del self._open[token_sha256]

    async def _is_gone(self, token_sha256: str) -> bool:
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at >= _LOOK_EVERY_S:
                self._gone = await asyncio.to_thread(partial(revoked_among, self._engine, list(self._open)))
                self._looked_at = now
        return token_sha256 in self._gone
