"""Sync (同步): the journal goes up, oldest first; what changed comes down; for as long as the agent runs.

Nothing here is waited for by a lane.  When the service is gone, both directions try again with growing, jittered
pauses, and the queue waits on the disk.  Uploading is idempotent: what was sent twice is answered "known".
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cylinder_trace.heartbeat import SignedHeartbeat
from station_agent.clock import TrustedClock
from station_agent.journal import Journal, JournalBroken, JournalLine
from station_agent.log_keys import LogKeys
from station_agent.own_acts import OwnActs
from station_agent.replica import Replica, ReplicaAnswer, ReplicaRefused, UnknownSigner, open_answer, open_dead_codes
from station_agent.service import Change, Service, ServiceGone, UploadAnswers

_BATCH = 1000
_GATHER_S = 0.1  # what follows within this goes up together
_POLL_S = 3.0  # while there is no stream of changes
_BETWEEN_PULLS_S = 0.1
_KEEP_MS = 2_000
_GREETING_S = 3.0
_DEAD_CODES_EVERY_MS = 600_000

Tell = Callable[[str, dict[str, Any]], None]


class Backoff:
    """Growing pauses between tries: doubled each time up to a longest, and jittered, so that stations spread out."""

    def __init__(self, first_s: float = 0.5, longest_s: float = 5.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._tries = 0

    def reset(self) -> None:
        """It worked; begin anew."""
        self._tries = 0

    def next_s(self) -> float:
        """How long to wait now."""
        pause_s: float = min(self._longest_s, self._first_s * 2 ** min(self._tries, 30))
        self._tries += 1
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreading, not secrecy


@dataclass(slots=True)
class LinkState:
    """How the station stands to the service, for the screen and the status."""

    online: bool = False
    trouble: str = ""
    unsent: int = 0
    disputed: int = 0


class Sync:
    """The two directions, each a task."""

    def __init__(
        self,
        service: Service,
        journal: Journal,
        replica: Replica,
        acts: OwnActs,
        clock: TrustedClock,
        *,
        device_id: str,
        station_id: str,
        log_keys: LogKeys,
        recorded: asyncio.Event,
        tell: Tell,
    ) -> None:
        self.state = LinkState(unsent=journal.unsent_count(), disputed=journal.disputed_count())
        self._service = service
        self._journal = journal
        self._replica = replica
        self._acts = acts
        self._clock = clock
        self._device_id = device_id
        self._station_id = station_id
        self._log_keys = log_keys
        self._tell = tell
        self._recorded = recorded
        self._idle = asyncio.Event()
        self._back = asyncio.Event()
        self._next_seq = journal.first_unsent()
        self._kept_at = -_KEEP_MS
        self._dead_asked_at: int | None = None

    # ------------------------------------------------------------ up

    async def upload_for_ever(self) -> None:
        """Send what is unsent, now and whenever something is recorded or the service comes back."""
        backoff = Backoff()
        while True:
            try:
                sent_all = await self.upload_once()
            except (ServiceGone, JournalBroken) as trouble:
                self._trouble(str(trouble))
                await self._until_back(backoff.next_s())
                continue
            backoff.reset()
            if sent_all:
                self._idle.set()
                await self._recorded.wait()
                self._idle.clear()
                await asyncio.sleep(_GATHER_S)

    async def _until_back(self, longest_s: float) -> None:
        self._back.clear()
        try:
            async with asyncio.timeout(longest_s):
                await self._back.wait()
        except TimeoutError:
            return

    async def caught_up(self) -> None:
        """Wait until nothing is left to send; for ever while the service is gone."""
        if self._recorded.is_set():
            self._idle.clear()
        await self._idle.wait()

    async def upload_once(self) -> bool:
        """Send one batch; True if nothing is left. Raises ServiceGone, JournalBroken."""
        self._recorded.clear()
        lines = await asyncio.to_thread(self._journal.lines, self._next_seq, _BATCH)
        self.state.unsent = await asyncio.to_thread(self._journal.unsent_count)
        if not lines:
            return True
        head = self._journal.sign_head(lines[-1])
        answers = await self._service.upload(self._device_id, [line.text for line in lines], head)
        await self._settle(answers, lines)
        if answers.problem is not None:
            raise ServiceGone(f"The service did not take a record: {answers.problem.code}, {answers.problem.detail}")
        self._online()
        return len(lines) < _BATCH and answers.next_seq > lines[-1].seq

    async def _settle(self, answers: UploadAnswers, lines: list[JournalLine]) -> None:
        """Keep the answers; the service says where it wants to go on, also if that is further back."""
        sent = {line.seq for line in lines}
        given = [(answer.seq, answer.status, answer.index) for answer in answers.answers if answer.seq in sent]
        await asyncio.to_thread(self._journal.settle, given)
        for answer in answers.answers:
            self._acts.settle(answer.id, answer.index)
            if answer.status == "disputed":
                self.state.disputed += 1
                self._tell("disputed", {"id": answer.id, "seq": answer.seq})
        self._next_seq = min(answers.next_seq, self._journal.length)
        self.state.unsent = await asyncio.to_thread(self._journal.unsent_count)
        self._tell("uploaded", {"records": len(given), "unsent": self.state.unsent})

    # ------------------------------------------------------------ down

    async def greet(self) -> None:
        """Try the service once before the first scan; without it the station begins with what it has."""
        try:
            async with asyncio.timeout(_GREETING_S):
                await self.pull()
        except (ServiceGone, ReplicaRefused) as trouble:
            self._trouble(str(trouble))
        except TimeoutError:
            self._trouble("The service does not answer.")

    async def follow_for_ever(self) -> None:
        """Keep the replica up to date: by the stream of changes, or by asking every few seconds without it."""
        backoff = Backoff(_POLL_S / 4, _POLL_S)
        while True:
            try:
                await self.pull()
                backoff.reset()
                await self._fetch_dead_codes()
                await self._follow()
            except (ServiceGone, ReplicaRefused) as trouble:
                self._trouble(str(trouble))
            await asyncio.sleep(backoff.next_s())

    async def _follow(self) -> None:
        known = self._replica.known
        async with self._service.changes(known.version if known else 0, self.state.unsent) as changes:
            async for change in changes:
                await self._hear(change)
        raise ServiceGone("The service ended the stream of changes.")

    async def _hear(self, change: Change | SignedHeartbeat) -> None:
        """A change is a call to look; what a heartbeat says counts once its signature is the ledger's."""
        known = self._replica.known
        if isinstance(change, Change):
            missing = known is None or change.version > known.version
        else:
            await self._require_signed(change)
            missing = known is None or not change.completes(known.version)
            if not missing:
                self._believe(change)
        if missing:
            await self.pull()
            await asyncio.sleep(_BETWEEN_PULLS_S)
        await self._fetch_dead_codes()
        await self._keep()

    def _believe(self, beat: SignedHeartbeat) -> None:
        """Nothing of ours is missing up to its version. It may have been held back, so no clock is set back by it."""
        expected = self._clock.trusted_now()
        if expected is None or beat.as_of >= expected:
            self._clock.learn(beat.as_of, self._clock.steady(), self._clock.steady())
        self._replica.confirm(beat.version, beat.as_of)
        self._online()

    async def _require_signed(self, beat: SignedHeartbeat) -> None:
        """Raise ReplicaRefused for a heartbeat that is not this station's, or UnknownSigner."""
        if beat.station_id != self._station_id:
            raise ReplicaRefused(f"the heartbeat is for station {beat.station_id}, not for {self._station_id}")
        signature, text = beat.signature_bytes(), beat.text()
        if not self._log_keys.verify(signature, text):
            await self._follow_rotations()
            if not self._log_keys.verify(signature, text):
                raise UnknownSigner("the heartbeat is not signed by the ledger this station was enrolled with")

    async def pull(self) -> None:
        """Fetch what changed, or everything if nothing is known. Raises ServiceGone, ReplicaRefused."""
        since = self._replica.known.version if self._replica.known else None
        asked_at = self._clock.steady()
        text = await self._service.replica(since)
        answered_at = self._clock.steady()
        answer = await self._open(text)
        before = self._replica.known
        await asyncio.to_thread(self._replica.take, answer)
        if before is None or answer.as_of >= before.as_of:  # an older answer, sent once more, tells no time
            self._clock.learn(answer.as_of, asked_at, answered_at)
        self._tell("replica", {"version": answer.version, "as_of": answer.as_of, "changed": len(answer.cylinders)})
        self._online()
        await self._keep(at_once=answer.since == 0)

    async def _fetch_dead_codes(self) -> None:
        """Bring the list of dead and black codes up to date, now and then: it decides nothing, so its age may grow."""
        now = self._clock.steady()
        if self._dead_asked_at is not None and now - self._dead_asked_at < _DEAD_CODES_EVERY_MS:
            return
        self._dead_asked_at = now
        known = self._replica.dead
        try:
            text = await self._service.dead_codes(known.version if known else 0)
            answer = await asyncio.to_thread(open_dead_codes, text, self._log_keys)
            await asyncio.to_thread(self._replica.take_dead_codes, answer)
        except (ServiceGone, ReplicaRefused) as trouble:
            self._tell("dead_codes", {"detail": str(trouble)})
        else:
            self._tell("dead_codes", {"version": answer.version, "as_of": answer.as_of, "count": answer.count})

    async def _open(self, text: bytes) -> ReplicaAnswer:
        try:
            return await asyncio.to_thread(open_answer, text, self._station_id, self._log_keys)
        except UnknownSigner:
            if not await self._follow_rotations():
                raise
            return await asyncio.to_thread(open_answer, text, self._station_id, self._log_keys)

    async def _follow_rotations(self) -> bool:
        """Whether the ledger has told of a key that followed on ours."""
        statements = await self._service.rotations()
        if not await asyncio.to_thread(self._log_keys.follow, statements):
            return False
        self._tell("log_key_rotated", {})
        return True

    async def _keep(self, *, at_once: bool = False) -> None:
        now = self._clock.steady()
        if at_once or now - self._kept_at >= _KEEP_MS:
            self._kept_at = now
            reference = self._clock.reference
            await asyncio.to_thread(self._replica.keep, reference.to_json() if reference else None)

    # ------------------------------------------------------------ the link

    def _online(self) -> None:
        if not self.state.online:
            self.state.online, self.state.trouble = True, ""
            self._back.set()
            self._tell("link", {"online": True})

    def _trouble(self, trouble: str) -> None:
        if self.state.online or trouble != self.state.trouble:
            self.state.online, self.state.trouble = False, trouble
            self._tell("link", {"online": False, "detail": trouble})
