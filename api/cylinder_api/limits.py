"""How often (限流): an account, an address on public routes, and attempts where a secret could be guessed.

Each process counts by itself and answers from its own memory; with Redis the processes tell each other their counts
once a second, in a thread of their own. So no request ever waits for Redis: without it each process allows the whole
limit, and when it is back they count together again. Nothing about safety hangs on these counts.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from fastapi import Request
from redis import Redis
from redis.exceptions import RedisError

from cylinder_api.access import ACCESS, EVERYBODY
from cylinder_api.refusals import Refused
from cylinder_api.settings import Rates

log = logging.getLogger(__name__)

Kind = Literal["account", "address", "attempts"]
ATTEMPTS = frozenset({"enrol_device", "sign_in", "accept_invitation", "issue_token"})
"""Public operations where a code, a password or a key could be tried out."""
FREE = frozenset({"get_health"})
"""What a supervisor asks all day."""
_WINDOW_S = 60
_SHARE_EVERY_S = 1.0
_PATIENCE_S = 1.0
_MOST_NAMES = 100_000
_EVERYBODY_ELSE = "*"
"""Beyond so many names in one minute the further ones count as one: no flood of addresses fills the memory."""


@dataclass(slots=True)
class _Count:
    own: int = 0
    others: int = 0
    shared: int = 0
    """How many of `own` the other processes were told of."""


class Limits:
    """The counts of one process."""

    def __init__(self, rates: Rates, redis_url: str | None, clock: Callable[[], int]) -> None:
        self._most: Mapping[Kind, int | None] = {
            "account": rates.account, "address": rates.address, "attempts": rates.attempts
        }  # fmt: skip
        self._redis_url = redis_url
        self._clock = clock
        self._lock = threading.Lock()
        self._window = 0
        self._counts: dict[tuple[Kind, str], _Count] = {}
        self._stopping = threading.Event()
        self._sharing = threading.Thread(target=self._share, name="shared-limits", daemon=True)

    def start(self) -> None:
        """Begin to tell other processes, if there is a Redis to tell them through."""
        if self._redis_url:
            self._sharing.start()

    def stop(self) -> None:
        """Tell nobody any more."""
        self._stopping.set()
        if self._sharing.is_alive():
            self._sharing.join()

    def take(self, kind: Kind, name: str) -> None:
        """Count one request; raises Refused once there were too many in this minute."""
        self._require(kind, name, 1)

    def require_left(self, kind: Kind, name: str) -> None:
        """Count nothing; raises Refused where the next to be counted would be one too many."""
        self._require(kind, name, 0)

    def _require(self, kind: Kind, name: str, counted: int) -> None:
        most = self._most[kind]
        if most is None:
            return
        now_s = self._clock() // 1000
        with self._lock:
            self._turn(now_s // _WINDOW_S)
            count = self._count(kind, name)
            if count.own + count.others < most:
                count.own += counted
                return
        wait_s = _WINDOW_S - now_s % _WINDOW_S
        raise Refused("too_many", f"more than {most} requests a minute; go on in {wait_s} s", wait_s)

    def _turn(self, window: int) -> None:
        if window != self._window:
            self._window = window
            self._counts.clear()

    def _count(self, kind: Kind, name: str) -> _Count:
        if (count := self._counts.get((kind, name))) is None:
            place = (kind, name if len(self._counts) < _MOST_NAMES else _EVERYBODY_ELSE)
            count = self._counts.setdefault(place, _Count())
        return count

    def _share(self) -> None:
        reachable = True
        while not self._stopping.is_set():
            try:
                with self._connect() as redis:
                    while not self._stopping.wait(_SHARE_EVERY_S):
                        self._tell(redis)
                        reachable = True
            except (RedisError, OSError) as error:
                if reachable:
                    log.warning("Redis is gone, each process counts requests alone: %s", type(error).__name__)
                reachable = False
                self._stopping.wait(_PATIENCE_S)

    def _connect(self) -> Redis:
        limits = {"socket_connect_timeout": _PATIENCE_S, "socket_timeout": _PATIENCE_S}
        return Redis.from_url(str(self._redis_url), **limits)

    def _tell(self, redis: Redis) -> None:
        with self._lock:
            window = self._window
            news = [(place, count, count.own - count.shared) for place, count in self._counts.items()]
        if not news:
            return
        pipeline = redis.pipeline(transaction=False)
        for (kind, name), _count, more in news:
            key = f"pinglian:rate:{window}:{kind}:{name}"
            pipeline.incrby(key, more)
            pipeline.expire(key, 2 * _WINDOW_S)
        totals = pipeline.execute()[::2]
        with self._lock:
            for (_place, count, more), total in zip(news, totals, strict=True):
                count.shared += more
                count.others = max(total - count.shared, 0)  # a Redis that began anew knows less than we told it


async def limit_public(request: Request) -> None:
    """A dependency of every route: those that ask for no token are counted by the caller's address."""
    operation = request.scope["route"].name
    if ACCESS[operation] is EVERYBODY and operation not in FREE:
        limits: Limits = request.app.state.limits
        limits.take("attempts" if operation in ATTEMPTS else "address", address_of(request))


def address_of(request: Request) -> str:
    """Whose connection it is; behind a proxy that is trusted (FORWARDED_ALLOW_IPS), whom the proxy names."""
    return request.client.host if request.client else "-"
