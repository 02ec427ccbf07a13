"""The service (云端服务), as the station talks to it over HTTP. Every failure is one exception, `ServiceGone`."""

import hashlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from cylinder_trace.canonical import canonical_json
from cylinder_trace.decision import Decision, FillRequest
from cylinder_trace.heartbeat import SignedHeartbeat
from cylinder_trace.values import Count, Frozen
from station_agent.link import Link

_CONNECT_S = 2.0
_ANSWER_S = 10.0  # beyond this even a late denial is no longer waited for
_LAST_PORT = 65_535
_SILENCE_S = 5.0  # the stream of changes beats once a second
_BULK_SILENCE_S = 20.0  # a thousand records take the service a second; more than this is a line that is dead
_SLOW_S = 1.0


class ServiceGone(Exception):
    """The service did not answer, or not with what was asked for. The text is a sentence for people."""

    def __init__(self, message: str, link: Link = Link.FAILING) -> None:
        super().__init__(message)
        self.link = link
        """The name of what is wrong."""


class ServiceRefused(ServiceGone):
    """The service answered and refused: the token, the device or what was sent. `status` is the HTTP status."""

    def __init__(self, message: str, status: int, *, code: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, _LINK_OF.get(code) or _LINK_OF_STATUS.get(status, Link.FAILING))
        self.status = status
        self.retry_after_s = retry_after_s
        """How long the service asks to be left alone; 0 if it does not say."""


_LINK_OF = {"device_cut_off": Link.CUT_OFF, "other_device": Link.TOKEN_ENDED, "other_station": Link.TOKEN_ENDED}
_LINK_OF_STATUS = {401: Link.TOKEN_ENDED, 429: Link.BUSY, 503: Link.BUSY}
_LONGEST_PAUSE_S = 3_600.0


@dataclass(frozen=True, slots=True)
class ServiceDecision:
    """The service's decision and where it stands in the log."""

    decision: Decision
    log_index: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """The log has `version` entries, and something of this station's changed on the way there."""

    version: int


class UploadAnswer(Frozen):
    """What became of one record."""

    seq: Count
    id: str
    status: str
    index: Count | None = None


class UploadProblem(Frozen):
    """The first record that was not taken, and why."""

    seq: Count | None = None
    code: str
    detail: str


class UploadAnswers(Frozen):
    """The service's answer to an upload. From `next_seq` on nothing was taken."""

    answers: tuple[UploadAnswer, ...]
    next_seq: Count
    problem: UploadProblem | None = None


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """The certificates to trust: those of `ca_file` alone, or the usual ones. Raises ServiceGone."""
    if ca_file is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        said = f"{ca_file} holds no certificates in PEM: {error.strerror or error}."
        raise ServiceGone(said, Link.CERTIFICATE) from error


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host or (address.port or 0) > _LAST_PORT:
        raise ServiceGone(f"{url} is not the address of a service; write https://HOST or http://HOST:PORT.")
    return address


class Service:
    """One client for everything. Use as `async with`. Raises ServiceGone for a wrong address or certificate."""

    def __init__(self, url: str, token: str, station_id: str, *, ca_file: Path | None = None) -> None:
        self._station_id = station_id
        self.is_slow = False
        """Whether the last small question was answered too late to help at a scan."""
        self._turn = secrets.token_bytes(16)
        self._http = httpx.AsyncClient(
            base_url=_address(url),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S),
            limits=httpx.Limits(max_connections=32, keepalive_expiry=30),
            verify=trusting(ca_file) if url.startswith("https:") else False,
            trust_env=False,
        )

    async def __aenter__(self) -> "Service":
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._http.aclose()

    async def decide(self, request: FillRequest) -> ServiceDecision:
        """Ask whether the cylinder may be filled. Raises ServiceGone."""
        body = request.model_dump_json(exclude_none=True).encode()
        answer = _object(await self._send("POST", "/v1/fill-checks", body, request.check_id))
        try:
            decision = Decision.model_validate_json(json.dumps(answer["decision"]))
        except (KeyError, ValidationError) as error:
            raise ServiceGone("The service's decision cannot be read.") from error
        if decision.check_id != request.check_id:
            raise ServiceGone("The service answered about another scan.")
        receipt = answer.get("receipt")
        index = receipt.get("index") if isinstance(receipt, dict) else None
        return ServiceDecision(decision, index if isinstance(index, int) else None)

    async def upload(self, device_id: str, records: Sequence[bytes], head: dict[str, Any]) -> UploadAnswers:
        """Hand over records of the device's chain, oldest first. Raises ServiceGone."""
        body = {"device_id": device_id, "records": [text.decode() for text in records], "head": head}
        path = f"/v1/stations/{self._station_id}/entries"
        text = canonical_json(body)
        # Without an answer the same key again; after one a new key: what was wrong may have been mended meanwhile.
        answer = await self._send("POST", path, text, _key_of(self._turn + text), timeout_s=_BULK_SILENCE_S)
        self._turn = secrets.token_bytes(16)
        try:
            return UploadAnswers.model_validate_json(answer)
        except ValidationError as error:
            raise ServiceGone("The service's answer to an upload cannot be read.") from error

    async def replica(self, since: int | None) -> bytearray:
        """The replica's answer as sent: everything, or what changed since a version. Raises ServiceGone."""
        query = "" if since is None else f"?since={since}"
        return await self._send("GET", f"/v1/stations/{self._station_id}/replica{query}", timeout_s=_BULK_SILENCE_S)

    async def dead_codes(self, since: int) -> bytearray:
        """The list of dead and black codes as sent: whole, or what came since a version. Raises ServiceGone."""
        return await self._send(
            "GET", f"/v1/stations/{self._station_id}/dead-codes?since={since}", timeout_s=_BULK_SILENCE_S
        )

    async def rotations(self) -> str:
        """The statements by which the ledger's key was rotated; public. Raises ServiceGone."""
        return (await self._send("GET", "/log/rotations")).decode("utf-8", "replace")

    @asynccontextmanager
    async def changes(self, since: int, unsent: int) -> AsyncIterator[AsyncIterator[Change | SignedHeartbeat]]:
        """The stream of changes from a version on, and heartbeats (server-sent events). Raises ServiceGone."""
        headers = {"Last-Event-ID": str(since), "Unsent-Records": str(unsent)}
        timeout = httpx.Timeout(_SILENCE_S, connect=_CONNECT_S)
        path = f"/v1/stations/{self._station_id}/changes"
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
                if response.status_code != httpx.codes.OK:
                    raise _refused(response, await response.aread())
                yield _changes(response)
        except httpx.HTTPError as error:
            raise ServiceGone(f"The service's stream of changes broke off: {_name(error)}.", _link(error)) from error

    async def enrol(self, code: str, vkey: str) -> dict[str, Any]:
        """Trade a one-time code and the device's verifying key for a token. Raises ServiceGone."""
        return _object(await self._send("POST", "/v1/devices/enrol", canonical_json({"code": code, "vkey": vkey})))

    async def ready(self) -> None:
        """Raises ServiceGone unless the service says that it is ready."""
        await self._send("GET", "/readyz")

    async def _send(
        self, method: str, path: str, body: bytes | None = None, key: str | None = None, timeout_s: float = _ANSWER_S
    ) -> bytearray:
        headers = {} if body is None else {"Content-Type": "application/json", "Idempotency-Key": key or _key_of(body)}
        timeout = httpx.Timeout(timeout_s, connect=_CONNECT_S)
        content = bytearray()  # grown in one place: a replica of 60 MB is not there twice
        try:
            async with self._http.stream(method, path, content=body, headers=headers, timeout=timeout) as response:
                async for piece in response.aiter_bytes():
                    content += piece
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = f"The service at {self._http.base_url} does not answer: {_name(error)}."
            raise ServiceGone(said, _link(error)) from error
        if not response.is_success:
            raise _refused(response, content)
        if timeout_s == _ANSWER_S:
            self.is_slow = response.elapsed.total_seconds() > _SLOW_S
        return content


def _key_of(body: bytes) -> str:
    """The idempotency key of a request whose body has no id of its own: the same whenever it is sent again."""
    return hashlib.sha256(body).hexdigest()


async def _changes(response: httpx.Response) -> AsyncIterator[Change | SignedHeartbeat]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif not line:
            change = _change(fields)
            fields = {}
            if change is not None:
                yield change


def _change(fields: dict[str, str]) -> Change | SignedHeartbeat | None:
    data = fields.get("data", "")
    try:
        if fields.get("event") == "heartbeat":
            return SignedHeartbeat.model_validate_json(data)
        return Change(int(json.loads(data)["version"]))
    except (ValueError, KeyError, TypeError):  # a comment, an event for somebody else, a heartbeat nobody signed
        return None


def _object(text: bytes | bytearray) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ServiceGone("The service's answer is not JSON.") from error
    if not isinstance(value, dict):
        raise ServiceGone("The service's answer is not an object.")
    return value


def _refused(response: httpx.Response, body: bytes | bytearray) -> ServiceRefused:
    """The service's own words for a refusal (problem+json), or its status alone."""
    status = response.status_code
    try:
        problem = json.loads(body)
        words, code = str(problem.get("detail") or problem.get("title") or ""), str(problem.get("code") or "")
    except (ValueError, AttributeError):
        words = code = ""
    said = f"The service refuses ({status}): {words}" if words else f"The service refuses with status {status}."
    return ServiceRefused(said, status, code=code, retry_after_s=_retry_after_s(response))


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds, as our service says it; a date is for browsers and counts as nothing said."""
    said = response.headers.get("Retry-After", "")
    return min(_LONGEST_PAUSE_S, float(said)) if said.isascii() and said.isdecimal() else 0.0


def _link(error: Exception) -> Link:
    """The name of what went wrong on the way."""
    if _is_certificate(error):
        return Link.CERTIFICATE
    return Link.SILENT if isinstance(error, httpx.TimeoutException) else Link.UNREACHABLE


def _is_certificate(error: BaseException | None) -> bool:
    """Whether the failure behind `error` was one of TLS; httpx wraps it several times."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
