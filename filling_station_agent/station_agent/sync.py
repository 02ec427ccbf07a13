"""Sync (同步): the journal goes up, oldest first; what changed comes down; for as long as the agent runs.

Nothing here is waited for by a lane.  When the service is gone, both directions try again with growing, jittered
pauses, never sooner than it asks for (Retry-After), and the queue waits on the disk.  Uploading is idempotent: what was
sent twice is answered "known".  On a slow line the batches become smaller until they get through.

The first upload of a run begins with the last record that the service has answered for: from its answer we learn how
far it knows this device's chain.  If that is further than the journal here goes, an older copy of the journal was put
back (旧日志回放); if it knows another record in a place (分叉), a clone is in use.  Either way the journal is closed.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

from cylinder_trace.heartbeat import SignedHeartbeat
from station_agent.clock import TrustedClock
from station_agent.journal import Journal, JournalBroken, JournalLine
from station_agent.link import LINK_SAID, Link
from station_agent.link import LinkState as LinkState
from station_agent.log_keys import LogKeys
from station_agent.own_acts import OwnActs
from station_agent.replica import (
    Replica,
    ReplicaAnswer,
    ReplicaRefused,
    UnknownSigner,
    open_answer,
    open_dead_codes,
    take_apart,
)
from station_agent.sent import Text
from station_agent.service import Change, Service, ServiceGone, ServiceRefused, UploadAnswers

_BATCH = 1000
_SMALLEST_BATCH = 10
_GATHER_S = 0.1  # what follows within this goes up together
_POLL_S = 3.0  # while there is no stream of changes
_BETWEEN_PULLS_S = 0.1
_KEEP_MS = 2_000
_KEEP_TIME_S = 30.0
_GREETING_S = 3.0
_ANSWER_S = 1.0
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

    def next_s(self, at_least_s: float = 0.0) -> float:
        """How long to wait now: not less than what the service asked for, and then spread out behind it."""
        pause_s: float = min(self._longest_s, self._first_s * 2 ** min(self._tries, 30))
        self._tries += 1
        return at_least_s + pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreading, not secrecy


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
        self._under_way = asyncio.Lock()
        """Held from the sending of a batch until its answer is heeded."""
        self._next_seq = max(0, journal.first_unsent() - 1)
        self._batch = _BATCH
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
                await self._pause(backoff, trouble)
                continue
            backoff.reset()
            if sent_all:
                if not self._recorded.is_set():  # what was recorded during the call is still to be sent
                    self._idle.set()
                await self._recorded.wait()
                self._idle.clear()
                await asyncio.sleep(_GATHER_S)

    async def _pause(self, backoff: Backoff, trouble: ServiceGone | JournalBroken) -> None:
        asked_for_s = trouble.retry_after_s if isinstance(trouble, ServiceRefused) else 0.0
        self.state.tries_again_in_s = pause_s = backoff.next_s(asked_for_s)
        self._trouble(trouble)
        if asked_for_s:
            await asyncio.sleep(pause_s)
        else:
            await self._until_back(pause_s)

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
        lines = await asyncio.to_thread(self._journal.lines, self._next_seq, self._batch)
        self.state.unsent = await asyncio.to_thread(self._journal.unsent_count)
        if self._journal.closed_because is not None:
            self._show_closed(self._journal.closed_because)
            return True
        if not lines:
            return True
        async with self._under_way:
            answers = await self._send(lines)
            await self._settle(answers, lines)
            if await self._close_if_not_ours(answers):
                return True
        if answers.problem is not None:
            detail = f"The service did not take a record: {answers.problem.code}, {answers.problem.detail}"
            raise ServiceGone(detail, Link.NOT_TAKEN)
        if (
            answers.next_seq <= lines[0].seq
        ):  # also where it wants older ones: what it asks for anew, it gets in a moment
            raise ServiceGone("The service answered and took no record.", Link.NOT_TAKEN)
        self._online(uploaded=True)
        whole, self._batch = self._batch, min(_BATCH, self._batch * 2)
        return len(lines) < whole and answers.next_seq > lines[-1].seq

    async def _send(self, lines: list[JournalLine]) -> UploadAnswers:
        head = self._journal.sign_head(lines[-1])
        try:
            return await self._service.upload(self._device_id, [line.text for line in lines], head)
        except ServiceGone as gone:
            if gone.link is Link.SILENT:  # too much for a slow line, perhaps
                self._batch = max(_SMALLEST_BATCH, self._batch // 2)
            await self._close_if_cut_off(gone)
            raise

    async def _close_if_cut_off(self, gone: ServiceGone) -> None:
        """Whoever cut this device off (停用) wants it to fill no more, without a network either."""
        if gone.link is Link.CUT_OFF:
            await self._close(str(gone))

    async def _hear_why(self) -> None:
        """Let an upload under way be answered, for a moment: it says for what the device is cut off, a refusal not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S), self._under_way:
                pass

    async def _close_if_not_ours(self, answers: UploadAnswers) -> bool:
        """Whether the service knows this device's chain otherwise than it stands here; nothing is filled then."""
        problem = answers.problem
        if problem is not None and problem.code == "journal_forked":
            await self._close(problem.detail)
        elif answers.next_seq > self._journal.length:
            await self._close(
                f"the service has {answers.next_seq} records of this device, the journal here holds "
                f"{self._journal.length}: an older copy of it was put back"
            )
        return self._journal.closed_because is not None

    async def _close(self, because: str) -> None:
        await asyncio.to_thread(self._journal.close_for_good, because)
        self._show_closed(because)

    def _show_closed(self, because: str) -> None:
        if self.state.link is not Link.JOURNAL_CLOSED:
            self.state.online, self.state.trouble, self.state.link = False, because, Link.JOURNAL_CLOSED
            self._keep_link()
            self._tell("journal_closed", {"detail": because, **LINK_SAID[Link.JOURNAL_CLOSED]._asdict()})

    async def _settle(self, answers: UploadAnswers, lines: list[JournalLine]) -> None:
        """Keep the answers; the service says where it wants to go on, also if that is further back."""
        sent = {line.seq for line in lines if line.status is None}
        given = [(answer.seq, answer.status, answer.index) for answer in answers.answers if answer.seq in sent]
        await asyncio.to_thread(self._journal.settle, given)
        for answer in answers.answers:
            self._acts.settle(answer.id, answer.index)
            if answer.status == "disputed" and answer.seq in sent:
                self._tell("disputed", {"id": answer.id, "seq": answer.seq})
        self._next_seq = min(answers.next_seq, self._journal.length)
        self.state.unsent = await asyncio.to_thread(self._journal.unsent_count)
        self.state.disputed = await asyncio.to_thread(self._journal.disputed_count)
        if given:
            self._tell("uploaded", {"records": len(given), "unsent": self.state.unsent})

    # ------------------------------------------------------------ down

    async def greet(self) -> None:
        """Try the service once before the first scan; without it the station begins with what it has."""
        try:
            async with asyncio.timeout(_GREETING_S):
                await self.pull()
        except (ServiceGone, ReplicaRefused) as trouble:
            self._trouble(trouble)
        except TimeoutError:
            self._trouble(ServiceGone("The service does not answer.", Link.SILENT))

    async def follow_for_ever(self) -> None:
        """Keep the replica up to date: by the stream of changes, or by asking every few seconds without it."""
        backoff = Backoff(_POLL_S / 4, _POLL_S)
        while True:
            asked_for_s = 0.0
            try:
                await self.pull()
                backoff.reset()
                await self._fetch_dead_codes()
                await self._follow()
            except (ServiceGone, ReplicaRefused) as trouble:
                self._trouble(trouble)
                asked_for_s = trouble.retry_after_s if isinstance(trouble, ServiceRefused) else 0.0
            await asyncio.sleep(backoff.next_s(asked_for_s))

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
        try:
            text = await self._service.replica(since)
        except ServiceGone as gone:
            if gone.link is Link.CUT_OFF:
                await self._hear_why()
            await self._close_if_cut_off(gone)
            raise
        answered_at = self._clock.steady()
        answer = await self._open(text)
        before = self._replica.known
        changed = await asyncio.to_thread(self._replica.take, answer)
        if before is None or answer.as_of >= before.as_of:  # an older answer, sent once more, tells no time
            self._clock.learn(answer.as_of, asked_at, answered_at)
        self._tell("replica", {"version": answer.version, "as_of": answer.as_of, "changed": changed})
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

    async def _open(self, text: Text) -> ReplicaAnswer:
        sent = take_apart(text)
        try:
            return await asyncio.to_thread(open_answer, sent, self._station_id, self._log_keys)
        except UnknownSigner:
            if not await self._follow_rotations():
                raise
            return await asyncio.to_thread(open_answer, sent, self._station_id, self._log_keys)

    async def _follow_rotations(self) -> bool:
        """Whether the ledger has told of a key that followed on ours."""
        statements = await self._service.rotations()
        if not await asyncio.to_thread(self._log_keys.follow, statements):
            return False
        self._tell("log_key_rotated", {})
        return True

    async def keep_time_for_ever(self) -> None:
        """Keep until when the time was known, also while nobody is heard: a power cut ends that without a word."""
        while True:
            await asyncio.sleep(_KEEP_TIME_S)
            with contextlib.suppress(ReplicaRefused):  # a full disk is told by what must be written
                await self._keep()

    async def _keep(self, *, at_once: bool = False) -> None:
        now = self._clock.steady()
        if at_once or now - self._kept_at >= _KEEP_MS:
            self._kept_at = now
            reference = self._clock.reference
            await asyncio.to_thread(self._replica.keep, reference.to_json() if reference else None)

    # ------------------------------------------------------------ the link

    def _online(self, *, uploaded: bool = False) -> None:
        """The service answered as it should. What stands against the journal is not mended by an answer."""
        link = Link.SLOW if self._service.is_slow else Link.ONLINE
        standing = () if uploaded else (Link.NOT_TAKEN, Link.DISK)
        if self.state.link in (link, Link.JOURNAL_CLOSED, *standing):
            return
        was_online = self.state.online
        self.state.online, self.state.trouble, self.state.link = True, "", link
        self.state.tries_again_in_s = 0.0
        self._keep_link()
        self._back.set()
        if not was_online or link is Link.SLOW:
            self._tell("link", {"online": True, "link": link.value})

    def _trouble(self, trouble: ServiceGone | ReplicaRefused | JournalBroken) -> None:
        link, said = _name_of(trouble), str(trouble)
        if self.state.link is Link.JOURNAL_CLOSED or (said == self.state.trouble and link is self.state.link):
            return
        self.state.online, self.state.trouble, self.state.link = False, said, link
        self._keep_link()
        self._tell("link", {"online": False, "link": link.value, "detail": said, **LINK_SAID[link]._asdict()})

    def _keep_link(self) -> None:
        """What cannot be kept now is told all the same, and kept with the next change."""
        link = {"link": self.state.link.value, "detail": self.state.trouble, "since": self._clock.now()}
        with contextlib.suppress(ReplicaRefused):
            self._replica.keep_link(link)


def _name_of(trouble: ServiceGone | ReplicaRefused | JournalBroken) -> Link:
    match trouble:
        case ServiceGone():
            return trouble.link
        case UnknownSigner():
            return Link.UNTRUSTED
        case JournalBroken():
            return Link.DISK
        case _:
            return Link.FAILING
