"""Which stations' devices are connected (设备在线), for people to look at: nothing about safety hangs on it.

Each process knows its own streams.  With Redis the processes tell each other every two seconds, in a thread of their
own, and answer from memory; a process that fell silent is forgotten after some seconds, and without Redis each knows
its own streams alone.
"""

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

_TELL_EVERY_S = 2.0
_FORGOTTEN_AFTER_S = 8
_PATIENCE_S = 1.0
_PREFIX = "pinglian:presence:"


class Present(NamedTuple):
    """A device whose stream is open."""

    device_id: str
    station_id: str
    since: int
    """When the stream began, UTC ms."""
    data_as_of: int
    """When the database was read for what the device was told last, UTC ms."""
    unsent: int | None
    """Records that waited at the device when the stream began; absent where it did not say."""


class Presence:
    """The devices connected to one process, and what the others tell of theirs."""

    def __init__(self, redis_url: str | None, clock: Callable[[], int], data_as_of: Callable[[], int]) -> None:
        """`data_as_of` says when this process last read the database."""
        self._redis_url, self._clock, self._data_as_of = redis_url, clock, data_as_of
        self._key = f"{_PREFIX}{secrets.token_hex(8)}"
        self._own: dict[int, Present] = {}
        self._others: tuple[Present, ...] = ()
        self._stopping = threading.Event()
        self._sharing = threading.Thread(target=self._share, name="shared-presence", daemon=True)

    def start(self) -> None:
        """Begin to tell other processes, if there is a Redis to tell them through."""
        if self._redis_url:
            self._sharing.start()

    def stop(self) -> None:
        """Tell nobody any more."""
        self._stopping.set()
        if self._sharing.is_alive():
            self._sharing.join()

    def connected(self) -> list[Present]:
        """Every device, by station and id; of several streams of one the newest."""
        newest: dict[str, Present] = {}
        for one in sorted((*self._mine(), *self._others), key=lambda one: one.since):
            newest[one.device_id] = one
        return sorted(newest.values(), key=lambda one: (one.station_id, one.device_id))

    async def while_present(
        self, device_id: str, station_id: str, unsent: int | None, stream: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """The stream; as long as it is open the device is connected."""
        task = asyncio.current_task()
        mark = id(task) if task else id(stream)
        self._own[mark] = Present(device_id, station_id, self._clock(), 0, unsent)
        try:
            async for event in stream:
                yield event
        finally:
            self._own.pop(mark, None)

    def _mine(self) -> list[Present]:
        as_of = self._data_as_of()
        return [one._replace(data_as_of=as_of) for one in list(self._own.values())]

    def _share(self) -> None:
        reachable = True
        while not self._stopping.is_set():
            try:
                with Redis.from_url(
                    str(self._redis_url), socket_connect_timeout=_PATIENCE_S, socket_timeout=_PATIENCE_S
                ) as redis:
                    while not self._stopping.is_set():
                        self._tell_and_ask(redis)
                        reachable = True
                        self._stopping.wait(_TELL_EVERY_S)
            except (RedisError, OSError, ValueError, TypeError) as error:
                self._others = ()
                if reachable:
                    log.warning("Redis is gone, each process knows its own devices alone: %s", type(error).__name__)
                reachable = False
                self._stopping.wait(_PATIENCE_S)

    def _tell_and_ask(self, redis: Redis) -> None:
        redis.set(self._key, json.dumps(self._mine()), ex=_FORGOTTEN_AFTER_S)
        keys = [key for key in redis.scan_iter(f"{_PREFIX}*") if key != self._key.encode()]
        told = redis.mget(keys) if keys else []
        self._others = tuple(Present(*one) for text in told if text for one in json.loads(text))
