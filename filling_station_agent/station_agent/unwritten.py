"""What the journal did not take (待写记录): refusals given while it could not be written, in their order.

Each is written down with the moment at which it was given, as soon as the journal takes it.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from cylinder_trace.events import Event
from station_agent.deciding import Judgement
from station_agent.journal import JournalBroken
from station_agent.recorder import Recorder

_WRITE_AGAIN_S = 1.0


class _Waiting(NamedTuple):
    id: str
    subject: str
    event: Event
    worker_id: str | None
    checker_id: str | None
    log_index: int | None
    at: int


class Unwritten:
    """A queue in memory, oldest first."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._waiting: deque[_Waiting] = deque()
        self._writing = asyncio.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether everything has been written down."""
        return not self._waiting

    def add(self, id: str, subject: str, event: Event, judgement: Judgement) -> None:
        """Keep an act of this judgement until it can be written."""
        people = judgement.request.worker_id, judgement.checker_id
        at = judgement.decision.decided_at
        self._waiting.append(_Waiting(id, subject, event, *people, judgement.log_index, at))

    async def write(self) -> None:
        """Write down what waits. Raises JournalBroken; what was not written waits on."""
        async with self._writing:
            while self._waiting:
                late = self._waiting[0]
                await self._recorder.append(
                    late.id,
                    late.subject,
                    late.event,
                    late.worker_id,
                    checker_id=late.checker_id,
                    log_index=late.log_index,
                    occurred_at=late.at,
                )
                self._waiting.popleft()

    async def write_when_it_can(self) -> None:
        """Try every second until nothing waits."""
        while self._waiting:
            await asyncio.sleep(_WRITE_AGAIN_S)
            with suppress(JournalBroken):
                await self.write()
