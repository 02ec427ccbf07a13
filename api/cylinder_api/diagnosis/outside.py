"""What the service talks to beside its database: Redis, and the address at which the world reaches it."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from cylinder_api.diagnosis.finding import Finding, good, look, wrong
from cylinder_api.service import system_clock
from cylinder_api.settings import Settings

_PATIENCE_S = 3.0
CLOCK_SLACK_MS = 2_000
_LEAST_DAYS = 14
_SHORTEST_TOKEN = 20
_LOCAL = ("127.0.0.1", "::1", "localhost", None)


def look_outside(settings: Settings) -> Iterator[Finding]:
    """Redis, the public address, the token for numbers."""
    yield from redis(settings.redis_url)
    yield public_url(settings.public_url)
    yield metrics_token(settings.metrics_token)


def redis(url: str | None) -> Iterator[Finding]:
    """Reachable, able to take what is written, near in time."""
    if url is None:
        yield good("Redis", "not used")
        return
    try:
        with Redis.from_url(url, socket_connect_timeout=_PATIENCE_S, socket_timeout=_PATIENCE_S) as client:
            info: dict[str, Any] = client.info()
            asked = system_clock()
            seconds, micros = client.time()
            yield redis_fits(info, urlsplit(url).hostname, _asks_for_password(client))
            yield clock("clock of Redis", asked, seconds * 1000 + micros // 1000)
    except (RedisError, OSError, ValueError) as error:
        mend = "start it, or correct redis://HOST:PORT; until then everything works, only slower"
        yield wrong("Redis", type(error).__name__, mend)


def _asks_for_password(client: Redis) -> bool:
    try:
        return bool(client.config_get("requirepass").get("requirepass"))
    except ResponseError:  # who may not ask was given rights of his own
        return True


def redis_fits(info: dict[str, Any], host: str | None, asks_for_password: bool) -> Finding:
    """What Redis says of itself."""
    if info.get("role") != "master":
        return wrong("Redis", "a replica, which takes no writing", "name the master in REDIS_URL")
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if most and used > most * 0.95 and info.get("maxmemory_policy") == "noeviction":
        found = f"{used // 2**20} MiB of {most // 2**20} used, and nothing may be evicted: it refuses to be written"
        return wrong(
            "Redis", found, "raise maxmemory, or set maxmemory-policy volatile-ttl: all keys of the service end"
        )
    if host not in _LOCAL and not asks_for_password:
        mend = "requirepass or an ACL, a private network, rediss://: whoever writes there can wake and slow the service"
        return look("Redis", "on another machine, and asks for no password", mend)
    return good("Redis", f"{info.get('redis_version')}, master, {used // 2**20} MiB used")


def clock(what: str, asked: int, theirs_ms: int) -> Finding:
    """Whether a clock elsewhere agrees with this machine's, which was read when it was asked, and is read now."""
    apart = theirs_ms - min(max(theirs_ms, asked), system_clock())
    if abs(apart) > CLOCK_SLACK_MS:
        word = "ahead of" if apart > 0 else "behind"
        return wrong(what, f"{abs(apart) / 1000:.1f} s {word} this machine's", "chrony or another NTP service on both")
    return good(what, f"{abs(apart)} ms from this machine's")


def public_url(url: str | None) -> Finding:
    """What machines name in their assertions, and what labels and links lead to."""
    what = "public address"
    if url is None:
        return look(what, "PUBLIC_URL is not set", "set it to https://…, as machines outside call this service")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return wrong(what, f"{url} is not https", "tokens and personal data need TLS: set PUBLIC_URL to https://…")
    try:
        days = _days_of_certificate(parts.hostname, parts.port or 443)
    except ssl.SSLCertVerificationError as error:
        return wrong(
            what, f"{url}: {error.verify_message}", "a certificate of an authority that clients know, and its chain"
        )
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        mend = "look at the proxy in front; if this machine cannot reach its own address, ask from another"
        return look(what, f"{url} does not answer here: {reason}", mend)
    if days < _LEAST_DAYS:
        return wrong(what, f"{url}: the certificate ends in {days} days", "renew it; a timer should have")
    return good(what, f"{url}, certificate good for {days} days")


def _days_of_certificate(host: str, port: int) -> int:
    context = ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=_PATIENCE_S) as line,
        context.wrap_socket(line, server_hostname=host) as wrapped,
    ):
        ends = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {}).get("notAfter")))
    return (datetime.fromtimestamp(ends, UTC) - datetime.fromtimestamp(system_clock() / 1000, UTC)).days


def metrics_token(token: str | None) -> Finding:
    """What opens /metrics and nothing else."""
    what = "metrics token"
    if token is None:
        return look(
            what, "METRICS_TOKEN is not set", "set one (openssl rand -hex 32), so that Prometheus needs no account"
        )
    if len(token) < _SHORTEST_TOKEN:
        return wrong(what, f"{len(token)} characters can be guessed", "openssl rand -hex 32")
    return good(what, "set")
