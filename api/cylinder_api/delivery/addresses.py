"""Where a message may be sent (防 SSRF): https to a public address, and to the very address that was looked at.

Whoever names a URL could otherwise have the service knock at doors that only it can reach: the database beside it, the
metadata of a cloud machine, a scale.  The name is resolved once for each connection, every answer is looked at, and the
connection goes to one of these addresses: a name that leads elsewhere a moment later changes nothing.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]
"""How a host's name and a port become addresses."""
MOST_URL = 2000
"""Characters of a URL."""
_HTTPS_PORT, _HTTP_PORT = 443, 80
_FIRST_FREE_PORT = 1024
_CONNECT_S = 5.0
"""For each address."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NOT_FOR_HOSTS = [ipaddress.ip_network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
"""In 2000::/3, but tunnels, examples and the like: what lies behind a tunnel's address cannot be seen by it."""


class BadAddress(ValueError):
    """The service does not send there; the message is one sentence and holds nothing of the URL."""


class Guard(NamedTuple):
    """What may be reached."""

    private: bool = False
    """Also plain http, and addresses that are not public: for development, and for receivers in the same house."""

    def check_url(self, url: str) -> None:
        """Raise BadAddress for a URL that nothing is sent to, whatever its name resolves to."""
        parts, port = _parts(url)
        if not parts.hostname:
            raise BadAddress("the URL names no host")
        if parts.username is not None or parts.password is not None:
            raise BadAddress("the URL holds a user or a password; the signature says who sends")
        if parts.fragment or "#" in url:
            raise BadAddress("the URL has a fragment (#), which is never sent; leave it out")
        self._check_scheme(parts, port)
        if (address := _literal(parts.hostname)) is not None:
            self.check([address])

    def check(self, addresses: Iterable[Address]) -> None:
        """Raise BadAddress unless every one of the addresses may be reached."""
        if not self.private and not all(is_public(address) for address in addresses):
            raise BadAddress("the host leads to an address that is not public; receivers are reached over the internet")

    def _check_scheme(self, parts: SplitResult, port: int) -> None:
        if self.private:
            if parts.scheme not in ("https", "http"):
                raise BadAddress("the URL must begin with https:// or http://")
            return
        if parts.scheme != "https":
            raise BadAddress("the URL must begin with https://")
        if port != _HTTPS_PORT and port < _FIRST_FREE_PORT:
            raise BadAddress(f"port {port} belongs to another service; take 443, or one from 1024 on")


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's: of a host, for everybody, and no way around to another one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inside(address)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST or any(address in network for network in _NOT_FOR_HOSTS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that is meant where IPv6 only carries one (::ffff:0:0/96, RFC 6052)."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _parts(url: str) -> tuple[SplitResult, int]:
    if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or any(sign in url for sign in ' \\"<>^`{|}'):
        raise BadAddress(
            f"the URL must be at most {MOST_URL} printable ASCII characters without blanks; "
            "write names in other scripts as xn--…"
        )
    try:
        parts = urlsplit(url)
        port = parts.port if parts.port is not None else _HTTP_PORT if parts.scheme == "http" else _HTTPS_PORT
    except ValueError as error:
        raise BadAddress("this is not a URL") from error
    return parts, port


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def resolve(host: str, port: int) -> Sequence[Address]:
    """All addresses of a host's name, as the system resolves it; raises OSError.

    In a thread of its own that nobody waits for: a name server that does not answer holds up neither other names nor
    the end of the process.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Any]] = loop.create_future()

    def tell(answer: list[Any], failure: Exception | None) -> None:
        if not found.done():
            found.set_exception(failure) if failure else found.set_result(answer)

    def ask() -> None:
        answer: list[Any] = []
        failure: Exception | None = None
        try:
            answer = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failure = error
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(tell, answer, failure)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    # A link-local address comes with its zone (fe80::1%eth0).
    return [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in await found]


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the guard lets pass, and to nothing else."""

    def __init__(self, guard: Guard, resolver: Resolver = resolve) -> None:
        self._guard, self._resolver = guard, resolver
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's addresses; raises BadAddress, or httpcore's own errors."""
        try:
            addresses = list(dict.fromkeys(await self._resolver(host, port)))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the host's name leads to no address") from error
        self._guard.check(addresses)
        failure: Exception = httpcore.ConnectError("the host's name leads to no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(str(address), port, _CONNECT_S, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Never: a receiver has an address."""
        raise BadAddress("a receiver is reached over the network")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._network.sleep(seconds)
