"""One attempt to bring one message to its receiver (投递一次), and what came of it.

    2xx            accepted
    410            gone: the receiver wants nothing more, ever
    anything else  failed, with a sentence for whoever runs the receiver; Retry-After is handed on

Redirects are not followed, no proxy is asked, nothing of the answer is kept but its status.  The receiver has twenty
seconds in all.  Each message opens a connection of its own, whose address is looked at anew.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

import httpcore

from cylinder_api.delivery.addresses import BadAddress, Guard, GuardedNetwork, Resolver, resolve
from cylinder_api.delivery.signing import signed_headers

ANSWER_S = 20.0
"""From looking up the name to the head of the answer."""
_REST_S = 1.0
_REST_BYTES = 16_384
"""So much of an answer's body is taken in, so that the receiver's writing ends in peace; the rest is left."""
_AGENT = "PingLian-Webhooks/1"
_MOST_RETRY_AFTER_S = 10_000_000
_MS = 1000


class Message(NamedTuple):
    """What is sent, the same at each attempt."""

    id: str
    """The receiver knows by it that it has the message already."""
    body: bytes
    content_type: str
    also_signed_in: str | None = None
    """A header that bears the signatures as well."""


class Outcome(NamedTuple):
    """What came of an attempt."""

    kind: Literal["accepted", "gone", "failed"]
    said: str
    """One sentence; holds nothing of the answer but its status, and no secret."""
    status: int | None = None
    """Of the answer; absent where none came."""
    retry_after_ms: int = 0
    """How long the receiver asks to be left alone."""


class Sender:
    """Sends messages. For one event loop."""

    def __init__(
        self,
        guard: Guard,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        answer_s: float = ANSWER_S,
    ) -> None:
        """`tls`: whom to trust; the system's authorities (SSL_CERT_FILE) unless it is given."""
        self._guard, self._resolver, self._answer_s = guard, resolver, answer_s
        self._tls = tls or ssl.create_default_context()

    async def send(self, url: str, message: Message, secrets: Sequence[bytes], now: int) -> Outcome:
        """Try once; never raises for anything that the receiver does. `now`: UTC ms, signed with the message."""
        headers = signed_headers(message.id, now, message.body, secrets)
        if message.also_signed_in and "webhook-signature" in headers:
            headers[message.also_signed_in] = headers["webhook-signature"]
        headers |= {"content-type": message.content_type, "user-agent": _AGENT, "accept": "*/*"}
        try:
            self._guard.check_url(url)
            return await self._post(url, headers, message.body, now)
        except BadAddress as error:
            return Outcome("failed", str(error))
        except TimeoutError:
            return Outcome("failed", f"no answer came within {self._answer_s:g} s")
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            return Outcome("failed", _told(error))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, now: int) -> Outcome:
        network = GuardedNetwork(self._guard, self._resolver)
        async with AsyncExitStack() as opened:
            async with asyncio.timeout(self._answer_s):
                pool = httpcore.AsyncConnectionPool(self._tls, network_backend=network)
                await opened.enter_async_context(pool)
                sent = pool.stream("POST", url, headers=[*headers.items()], content=body)
                answer = await opened.enter_async_context(sent)
            # The answer stands with its status: what follows is taken in out of courtesy, and changes nothing.
            await _take_in(answer)
            return _outcome(answer.status, answer.headers, now)


async def _take_in(answer: httpcore.Response) -> None:
    taken = 0
    with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        async with asyncio.timeout(_REST_S):
            async for part in answer.aiter_stream():
                taken += len(part)
                if taken > _REST_BYTES:
                    return


def _outcome(status: int, headers: Sequence[tuple[bytes, bytes]], now: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome("accepted", f"the receiver answered {status}", status)
    if status == 410:
        return Outcome("gone", "the receiver answered 410: it wants no more messages", status)
    asked = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return Outcome("failed", _why(status), status, _retry_after_ms(asked, now))


def _why(status: int) -> str:
    if 300 <= status < 400:
        return f"the receiver answered {status}: redirects are not followed; change the webhook's URL"
    return f"the receiver answered {status}"


def _retry_after_ms(header: bytes, now: int) -> int:
    """Retry-After in seconds or as a date (RFC 9110 §10.2.3); 0 where it says nothing that can be read."""
    text = header.decode("ascii", errors="replace").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:10]), _MOST_RETRY_AFTER_S) * _MS
    try:
        return max(0, int(parsedate_to_datetime(text).timestamp() * _MS) - now)
    except (ValueError, OverflowError):
        return 0


def _told(error: Exception) -> str:
    if _is_about_tls(error):
        return "the receiver's certificate is not one that this service trusts, or TLS failed"
    if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
        return "no connection to the receiver: its name leads nowhere, or nobody listens there"
    if isinstance(error, httpcore.ProtocolError):
        return "what came back is not an answer of HTTP"
    return "the connection broke before an answer came"


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
