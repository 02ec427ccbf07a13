"""Live push (实时推送): what changed reaches the stations within a moment of the commit.

    commit → push ──► every process: wake up ──► feed reads the database ──► each station's stream

The push is only a wake-up call. What changed is read from the database, so a lost or invented call can neither hide
a change nor invent one; and every feed also wakes by itself once a second, so nothing depends on Redis.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import orjson
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from cylinder_codes.keys import SigningKey
from cylinder_trace.audit import StoredEntry
from cylinder_trace.events import HandedOver, OwnershipTransferred
from cylinder_trace.heartbeat import Heartbeat, sign_heartbeat
from cylinder_trace.store.reader import Reader

log = logging.getLogger(__name__)

POLL_S = 0.9
"""A feed looks into the database at least this often."""
_GATHER_S = 0.2
"""Under load, what is committed within this time is looked at once."""
_HEARTBEAT_S = 0.8
_REMEMBERED = 1000
_REDIS_CHANNEL = "pinglian:committed"
_REDIS_PATIENCE_S = 1.0


class Push(Protocol):
    """Tells every process that something was committed."""

    def start(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever somebody published, from any thread."""

    def publish(self, version: int) -> None:
        """The log has this size now. Quick, and never raises."""

    def stop(self) -> None:
        """Stop calling."""


class MemoryPush:
    """One process: a commit wakes its own feed."""

    def __init__(self) -> None:
        self._wake: Callable[[], None] = lambda: None

    def start(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def publish(self, version: int) -> None:
        self._wake()

    def stop(self) -> None:
        self._wake = lambda: None


class RedisPush:
    """Several processes: a commit wakes its own feed at once and the others through Redis, as long as it is there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._memory = MemoryPush()
        self._newest = 0
        self._to_send = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_going, args=(act,), name=f"redis-{act.__name__}", daemon=True)
            for act in (self._send, self._receive)
        ]

    def start(self, wake: Callable[[], None]) -> None:
        self._memory.start(wake)
        for thread in self._threads:
            thread.start()

    def publish(self, version: int) -> None:
        self._memory.publish(version)
        self._newest = max(version, self._newest)
        self._to_send.set()

    def stop(self) -> None:
        self._memory.stop()
        self._stopping.set()
        self._to_send.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _keep_going(self, act: Callable[["Redis"], None]) -> None:
        reachable = True
        while not self._stopping.is_set():
            try:
                with self._connect() as redis:
                    redis.ping()
                    if not reachable:
                        log.info("Redis is back")
                    reachable = True
                    act(redis)
            except (RedisError, OSError) as error:
                if reachable:
                    log.warning("Redis is gone, going on without it: %s", type(error).__name__)
                reachable = False
                self._stopping.wait(_REDIS_PATIENCE_S)

    def _connect(self) -> "Redis":
        limits = {"socket_connect_timeout": _REDIS_PATIENCE_S, "socket_timeout": 2 * _REDIS_PATIENCE_S}
        return Redis.from_url(self._url, **limits)

    def _send(self, redis: "Redis") -> None:
        while not self._stopping.is_set():
            if self._to_send.wait(_REDIS_PATIENCE_S):
                self._to_send.clear()
                redis.publish(_REDIS_CHANNEL, str(self._newest))
                self._stopping.wait(_GATHER_S)  # each message wakes two threads in every process

    def _receive(self, redis: "Redis") -> None:
        with contextlib.closing(redis.pubsub(ignore_subscribe_messages=True)) as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(_REDIS_CHANNEL)
            while not self._stopping.is_set():
                if channel.get_message(timeout=_REDIS_PATIENCE_S / 2) is not None:
                    self._memory.publish(0)


class Touched(NamedTuple):
    """A subject that changed, and whom it concerns."""

    subject: str
    concerned: frozenset[str]
    """Of a cylinder: owner and custodian as of now, and those before each transfer and hand-over just read."""


class Beat(NamedTuple):
    """What a look into the database found: the log's size, and the ledger's clock before looking."""

    version: int
    as_of: int


@dataclass(frozen=True, slots=True)
class _Change:
    since: int
    version: int
    touched: tuple[Touched, ...]


Wants = Callable[[Touched], bool]


class Feed:
    """What one process knows of the newest changes, for any number of streams."""

    def __init__(self, reader: Reader, push: Push, clock: Callable[[], int], key: SigningKey) -> None:
        """`key` is the log's; it signs the heartbeats."""
        self.push = push
        self.beat = Beat(0, 0)
        self.poll_s = POLL_S
        self._reader, self._clock, self._key = reader, clock, key
        self._changes: deque[_Change] = deque(maxlen=_REMEMBERED)
        self._wake = asyncio.Event()
        self._next_beat = asyncio.Event()
        self._stopped = False

    def committed(self, version: int, _subjects: Sequence[str]) -> None:
        """A commit of this process; called in the writing thread."""
        self.push.publish(version)

    async def run(self) -> None:
        """Look into the database after each wake-up and at least every `poll_s`, until stopped."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if self._wake.is_set():  # whoever is about to clear it looks afterwards, at this commit too
                return
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(self._wake.set)

        self.push.start(wake)
        while not self._stopped:
            await self._look()
            await asyncio.sleep(_GATHER_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self.poll_s)
            self._wake.clear()

    def stop(self) -> None:
        """End `run` and every stream."""
        self._stopped = True
        self._wake.set()
        self._next_beat.set()

    async def changes(self, station_id: str, since: int | None, wants: Wants) -> AsyncIterator[bytes]:
        """Server-sent events: a `change` for each new version with wanted subjects, and signed heartbeats between.

        `since` is the version the station already has; None starts at the newest.
        """
        loop = asyncio.get_running_loop()
        began = version = self.beat.version if since is None else min(since, self.beat.version)
        changed = 0
        last_heartbeat = 0.0
        while not self._stopped:
            beat, next_beat = self.beat, self._next_beat
            if beat.version > version:
                subjects = dict.fromkeys(item.subject for item in await self._touched(version) if wants(item))
                version = beat.version
                if subjects:
                    changed = version
                    yield _event("change", {"version": version, "subjects": list(subjects)}, version)
            if loop.time() - last_heartbeat >= _HEARTBEAT_S:
                last_heartbeat = loop.time()
                said = Heartbeat(station_id=station_id, since=began, changed=changed, version=version, as_of=beat.as_of)
                yield _event("heartbeat", sign_heartbeat(said, self._key).model_dump())
            await next_beat.wait()

    async def _look(self) -> None:
        try:
            change, beat = await asyncio.to_thread(self._read, self.beat.version)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the feed cannot read the database: %s", type(error).__name__)
            return
        if change is not None:
            self._changes.append(change)
        self.beat = beat
        self._next_beat.set()
        self._next_beat = asyncio.Event()

    def _read(self, since: int) -> tuple[_Change | None, Beat]:
        as_of = self._clock()
        version = self._reader.size()
        # The first look of a process remembers nothing: streams that ask for older changes read them themselves.
        news = since and version > since
        change = _Change(since, version, self._read_touched(since, version)) if news else None
        return change, Beat(version, as_of)

    def _read_touched(self, since: int, until: int) -> tuple[Touched, ...]:
        former: dict[str, set[str]] = {}
        for type_word in (OwnershipTransferred.type, HandedOver.type):
            for row in self._reader.by_type(type_word, after=since - 1, limit=100_000):
                former.setdefault(row.subject, set()).update(_named_by(row))
        return tuple(
            Touched(
                item.subject,
                frozenset(filter(None, (item.owner_id, item.custodian_id))) | former.get(item.subject, set()),
            )
            for item in self._reader.changed(since, until)
        )

    async def _touched(self, since: int) -> Sequence[Touched]:
        if not self._changes or self._changes[0].since > since:
            return await asyncio.to_thread(self._read_touched, since, self.beat.version)
        return [item for change in self._changes if change.version > since for item in change.touched]


def _named_by(row: StoredEntry) -> set[str]:
    """Whose the cylinder was, or who had it, as a transfer or a hand-over says."""
    entry = orjson.loads(row.text)
    if row.type == OwnershipTransferred.type:
        return {entry["data"]["from_owner_id"]}
    return {ref.removeprefix("holder/") for ref in entry["refs"] if ref.startswith("holder/")}


def _event(name: str, data: dict[str, object], id: int | None = None) -> bytes:
    line = f"id: {id}\n" if id is not None else ""
    return f"event: {name}\n{line}data: {orjson.dumps(data).decode()}\n\n".encode()
