"""What comes too late for a decision: the service's answer after 300 ms, and news of the ledger while gas flows.

Either stops the gas, or takes the permit back where it has not been used, and is recorded as a dispute about the
decision: what this station had permitted stays on record as it was.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from cylinder_trace.decision import Decision
from cylinder_trace.events import DisputeRaised
from station_agent import words
from station_agent.deciding import Judgement
from station_agent.journal import JournalBroken
from station_agent.lane import Lane
from station_agent.permit import Permits
from station_agent.recorder import Recorder, Tell
from station_agent.service import ServiceDecision, ServiceGone


class Late:
    """Listens beside the lanes, and keeps the tasks that do so."""

    def __init__(self, recorder: Recorder, permits: Permits, tell: Tell) -> None:
        self._recorder = recorder
        self._permits = permits
        self._tell = tell
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something beside the lanes."""
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def hear(self, lane: Lane, judgement: Judgement, asked: asyncio.Task[ServiceDecision]) -> None:
        """Wait for the service's answer: after a denial no gas any more, and a record that it came."""
        try:
            answer = await asked
        except ServiceGone:
            return
        check_id, denial = judgement.request.check_id, answer.decision
        self._recorder.acts.settle(check_id, answer.log_index)
        if denial.permits or not judgement.decision.permits:
            return
        judgement.late_denial = denial
        self._permits.withdraw(check_id)
        self._tell("denied_late", lane, {"check_id": check_id, "reasons": list(denial.codes)})
        said = "The service denied ({}) after the station had permitted; the station stopped."
        await self._dispute(lane, judgement, denial, "late_denial", said)

    def revoke(self, lane: Lane, judgement: Judgement, denial: Decision) -> None:
        """News of the ledger deny what was permitted (撤销): no gas any more, and a record of that."""
        judgement.revoked = denial
        check_id = judgement.request.check_id
        self._permits.withdraw(check_id)
        told = {"check_id": check_id, "reasons": list(denial.codes), **words.fields(words.STOPPED_BY_NEWS)}
        self._tell("revoked", lane, told)
        said = "By news of the ledger it is refused ({}) after the station had permitted; the station stopped."
        self.run(self._dispute(lane, judgement, denial, "revoked", said))

    async def _dispute(self, lane: Lane, judgement: Judgement, denial: Decision, kind: str, said: str) -> None:
        check_id, worker_id = judgement.request.check_id, judgement.request.worker_id
        event = DisputeRaised(about_id=check_id, kind=kind, message=said.format(" ".join(denial.codes)))
        id, subject = f"{check_id}.{_ENDING[kind]}", f"cylinder/{judgement.decision.cylinder_id}"
        try:
            await self._recorder.append(id, subject, event, worker_id, checker_id=judgement.checker_id)
        except JournalBroken as broken:
            self._tell("journal_broken", lane, {"detail": str(broken), **words.fields(words.JOURNAL_BROKEN)})


_ENDING = {"late_denial": "late", "revoked": "revoked"}
