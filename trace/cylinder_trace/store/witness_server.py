"""A witness behind HTTP (C2SP tlog-witness): `POST /add-checkpoint`, `GET /<hex SHA-256 of origin>/checkpoint`.

Meant for a regulator's own machine, one process, a handful of logs. A checkpoint is remembered on the disk before
its cosignature leaves the house, in one step with the check: whatever is killed when, two histories are never both
cosigned.
"""

import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from cylinder_codes.note import NoteSignature, format_lines, split_note
from cylinder_trace.cosignature import Cosigner, LogKey
from cylinder_trace.store.witness_files import WitnessFiles, WitnessStateError
from cylinder_trace.witnessing import (
    SIZE_TYPE,
    AddCheckpoint,
    Judgement,
    RequestError,
    Status,
    claimed_origin,
    judge,
    origin_path,
    parse_request,
)

log = logging.getLogger(__name__)

_READ_AWAY = 2**24
"""Bytes of a request that is too large anyway; beyond them the connection is closed."""
_LONGEST_BODY = 512 * 1024  # a hundred ML-DSA-44 lines and a proof
_SILENT_FOR_S = 10.0
_TEXT = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: str
    content_type: str = _TEXT


class Witness:
    """Judges, remembers, cosigns. `clock` answers with UTC seconds."""

    def __init__(
        self,
        cosigners: Sequence[Cosigner],
        logs: Mapping[str, Sequence[LogKey]],
        files: WitnessFiles,
        clock: Callable[[], int],
    ) -> None:
        self._cosigners, self._logs, self._files, self._clock = cosigners, logs, files, clock
        self._turns = {origin: threading.Lock() for origin in logs}
        for origin in logs:
            self._files.last(origin)  # what cannot be read is said now, not at the first request

    def add_checkpoint(self, body: bytes) -> Answer:
        """The answer to a request; what it promises is on the disk."""
        try:
            request = parse_request(body)
            origin = claimed_origin(request)
        except RequestError as error:
            return Answer(Status.BAD_REQUEST, f"{error}\n")
        turn = self._turns.get(origin)
        if turn is None:
            return Answer(Status.UNKNOWN_LOG, f"this witness does not know the log {origin}\n")
        with turn:
            return self._judged(origin, request)

    def checkpoint(self, path: str) -> Answer:
        """What was cosigned last for the log with this path."""
        for origin in self._logs:
            if path == f"/{origin_path(origin)}/checkpoint" and (last := self._files.last(origin)):
                return Answer(Status.COSIGNED, last.note)
        return Answer(Status.UNKNOWN_LOG, "nothing is kept under this address\n")

    def _judged(self, origin: str, request: AddCheckpoint) -> Answer:
        last = self._files.last(origin)
        judgement = judge(request, self._logs, last.checkpoint if last else None)
        match judgement.status:
            case Status.COSIGNED:
                return self._cosigned(origin, request, judgement)
            case Status.OTHER_SIZE:
                return Answer(Status.OTHER_SIZE, f"{judgement.seen_size}\n", SIZE_TYPE)
            case Status.OTHER_HISTORY:
                kept = self._files.keep_evidence(last.note if last else None, request, judgement.reason, self._clock())
                log.critical("FORK 账本分叉: %s: %s; evidence: %s", origin, judgement.reason, kept or "kept before")
        return Answer(judgement.status, f"{judgement.reason}\n")

    def _cosigned(self, origin: str, request: AddCheckpoint, judgement: Judgement) -> Answer:
        assert judgement.checkpoint is not None  # noqa: S101 - a cosigned judgement has one
        text, lines = split_note(request.note)
        own = [cosigner.cosign(text, self._clock()) for cosigner in self._cosigners]
        by_log = [line for line in lines if any(_made_by(line, key) for key in self._logs[origin])]
        # Crash point: killed before this returns, nothing was promised; after it, the promise can only be repeated.
        self._files.remember(origin, f"{text}\n{format_lines([*by_log, *own])}")
        log.info("%s: %d → %d", origin, judgement.seen_size, judgement.checkpoint.size)
        return Answer(Status.COSIGNED, format_lines(own))


def _made_by(line: NoteSignature, key: LogKey) -> bool:
    return line.name == key.name and line.key_id == key.key_id


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness; port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SILENT_FOR_S
    server: WitnessServer

    def setup(self) -> None:
        super().setup()
        # Answers are small: without this each waits 40 ms for the other side's acknowledgement.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/add-checkpoint":
            self._close_with(Answer(404, "the address is /add-checkpoint\n"))
        elif not (length.isascii() and length.isdecimal() and len(length) < 10):
            self._close_with(Answer(411, "say how long the request is: Content-Length\n"))
        elif int(length) > _LONGEST_BODY:
            self._close_with(Answer(413, f"a request has at most {_LONGEST_BODY} bytes\n"))
            self._read_away(int(length))
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self._send(self._safely(lambda: self.server.witness.add_checkpoint(body)))

    def do_GET(self) -> None:
        self._send(self._safely(lambda: self.server.witness.checkpoint(self.path)))

    def _safely(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except (WitnessStateError, OSError) as error:
            # What cannot be remembered is not cosigned.
            log.critical("the witness's folder cannot be used: %s", error)
            return Answer(500, "this witness cannot remember anything now, so it cosigns nothing\n")

    def _close_with(self, answer: Answer) -> None:
        self.close_connection = True
        self._send(answer)

    def _read_away(self, length: int) -> None:
        """Who is still sending when the connection is closed on him never reads why."""
        left = min(length, _READ_AWAY)
        while left > 0 and (chunk := self.rfile.read1(min(left, 65_536))):
            left -= len(chunk)

    def _send(self, answer: Answer) -> None:
        data = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Not every request is worth a line; what matters is logged where it happens."""
