"""The log's side of add-checkpoint: every new checkpoint is taken to every configured witness, each in its own thread.

Publishing never waits for a witness: a checkpoint is out before anybody is asked, and a witness that is slow or gone
is asked again later, for what is then the newest. An unknown witness is begun with ``old 0``; a 409 with a size says
from where to go on. A 422, a 409 without a size, or a witness that has seen more than was ever published here means
that two histories exist under this log's name (分叉): that is logged as critical and kept as a file, once for each.
"""

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from cylinder_codes.note import NoteError, NoteSignature, format_lines, open_note, parse_lines, split_note
from cylinder_trace.checkpoint import Checkpoint, unverified_checkpoint
from cylinder_trace.cosignature import CosignerKey
from cylinder_trace.merkle import NodeReader, prove_consistency
from cylinder_trace.store.durable import write_durably
from cylinder_trace.suite import suite_of_origin
from cylinder_trace.witnessing import SIZE_TYPE, AddCheckpoint, Status, format_request

log = logging.getLogger(__name__)

ALARM_FORMAT = "pinglian-fork-alarm/1"
_TIMEOUT_S = 10.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_LONGEST_ANSWER = 1024 * 1024
_TRIES = 3


class WitnessAddress(NamedTuple):
    """A configured witness: its submission prefix (http://…) and the key that checks its cosignatures."""

    url: str
    key: CosignerKey


class Unwilling(Exception):
    """The witness did not cosign now; asking later may help."""


class ForkAlarm(Exception):
    """The witness has seen another history under this log's name."""


class _Answer(NamedTuple):
    status: int
    content_type: str
    body: str


Cosigned = Callable[[int, NoteSignature], None]
"""Called with the size and the verified line of a cosignature."""


class WitnessClient:
    """One witness, asked by one thread. `published` answers with the newest size, `clock` with UTC milliseconds."""

    def __init__(
        self,
        witness: WitnessAddress,
        nodes: Callable[[int], NodeReader],
        published: Callable[[], int],
        cosigned: Cosigned,
        alarms: Path,
        clock: Callable[[], int],
    ) -> None:
        self._witness, self._nodes, self._published, self._cosigned = witness, nodes, published, cosigned
        self._alarms, self._clock = alarms, clock
        self._seen = 0  # what the witness has cosigned, as far as we know; 409 tells us better
        self._newest: str | None = None
        self._news = threading.Event()
        self._stop = threading.Event()
        self._opener = _opener()
        self._thread = threading.Thread(target=self._run, name=f"witness {witness.key.name}", daemon=True)

    def start(self) -> None:
        """Ask in the background."""
        self._thread.start()

    def offer(self, note: str) -> None:
        """There is a new checkpoint; returns at once."""
        self._newest = note
        self._news.set()

    def stop(self) -> None:
        """Ask no more; a question under way is left to its thread."""
        self._stop.set()
        self._news.set()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.is_set():
            self._news.wait()
            if self._stop.wait(pause):
                return
            self._news.clear()
            pause = self._asked(self._newest, pause)
            if pause:
                self._news.set()

    def _asked(self, note: str | None, pause: float) -> float:
        """Ask once; the seconds to wait before asking again."""
        try:
            if note is not None:
                self.ask(note)
        except (Unwilling, OSError, HTTPException) as error:
            log.warning("witness %s did not cosign, trying again: %s", self._witness.key.name, error)
            return min(_LONGEST_PAUSE_S, pause * 2 or _FIRST_PAUSE_S)
        except ForkAlarm as alarm:
            log.critical("FORK ALARM 分叉报警: witness %s: %s", self._witness.key.name, alarm)
            return _LONGEST_PAUSE_S
        except Exception:
            # whatever is wrong with one witness, its thread lives on and says so
            log.exception("witness %s cannot be asked", self._witness.key.name)
            return _LONGEST_PAUSE_S
        return 0.0

    def ask(self, note: str) -> None:
        """Get one checkpoint cosigned; raises Unwilling, ForkAlarm, OSError or HTTPException."""
        text, lines = split_note(note)
        checkpoint = unverified_checkpoint(note)
        by_log = f"{text}\n{format_lines([line for line in lines if line.name == checkpoint.origin])}"
        for _ in range(_TRIES):
            answer = self._post(self._request(checkpoint, by_log))
            if answer.status != Status.OTHER_SIZE:
                self._take(answer, checkpoint, by_log)
                return
            self._seen = self._size_told(answer, by_log)
            if self._seen > checkpoint.size:
                return  # another process of ours has taken a newer one there
        raise Unwilling("it names another size each time it is asked")

    def _request(self, checkpoint: Checkpoint, note: str) -> AddCheckpoint:
        suite = suite_of_origin(checkpoint.origin)
        old = min(self._seen, checkpoint.size)
        proof = prove_consistency(old, checkpoint.size, self._nodes(checkpoint.size), suite)
        return AddCheckpoint(old, tuple(proof), note)

    def _size_told(self, answer: _Answer, note: str) -> int:
        told = answer.body.removesuffix("\n")
        if answer.content_type != SIZE_TYPE or not (told.isascii() and told.isdecimal() and len(told) <= 16):
            self._alarm(note, answer, "it answered 409 without a size: it has the same size with another root")
        # Asked after the answer: what is stored is published before any witness is asked for it.
        if int(told) > (published := self._published()):
            self._alarm(note, answer, f"it has cosigned {int(told)} entries, but only {published} are published")
        return int(told)

    def _take(self, answer: _Answer, checkpoint: Checkpoint, note: str) -> None:
        if answer.status == Status.OTHER_HISTORY:
            self._alarm(note, answer, f"this log does not extend what it has seen: {answer.body.strip()[:200]}")
        if answer.status != Status.COSIGNED:
            raise Unwilling(f"it answered {answer.status}: {answer.body.strip()[:200]}")
        line = _line_of(self._witness.key, note, answer.body)
        self._seen = checkpoint.size
        self._cosigned(checkpoint.size, line)

    def _alarm(self, note: str, answer: _Answer, reason: str) -> None:
        """Keep what was shown and what was answered, once, and raise ForkAlarm."""
        name = sha256(f"{self._witness.key.name}\n{note}\n{answer.status}".encode()).hexdigest()[:16]
        if not any(path.stem.endswith(name) for path in self._alarms.glob("*.json")):
            told = {"format": ALARM_FORMAT, "witness": self._witness.key.name, "reason": reason, "shown": note}
            told |= {"status": str(answer.status), "answer": answer.body[:4096]}
            path = self._alarms / f"{datetime.fromtimestamp(self._clock() // 1000, UTC):%Y%m%dT%H%M%SZ}-{name}.json"
            write_durably(path, (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode())
        raise ForkAlarm(reason)

    def _post(self, request: AddCheckpoint) -> _Answer:
        url = self._witness.url.rstrip("/") + "/add-checkpoint"
        asked = Request(url, data=format_request(request).encode(), headers={"Content-Type": "text/plain"})  # noqa: S310
        try:
            with self._opener.open(asked, timeout=_TIMEOUT_S) as answer:
                return _answer(answer.status, answer.headers.get_content_type(), answer.read(_LONGEST_ANSWER))
        except HTTPError as error:
            with error:
                return _answer(error.code, error.headers.get_content_type(), error.read(_LONGEST_ANSWER))


def known_alarms(alarms: Path) -> list[Path]:
    """The alarms that witnesses raised, oldest first. A person must look at each and move it away."""
    return sorted(alarms.glob("*.json"))


def _line_of(key: CosignerKey, note: str, lines: str) -> NoteSignature:
    try:
        open_note(note + lines, [key])
        return next(line for line in parse_lines(lines) if line.key_id == key.key_id and line.name == key.name)
    except NoteError as error:
        raise Unwilling(f"its answer holds no cosignature by the key {key.name} that is configured") from error


def _answer(status: int, content_type: str, body: bytes) -> _Answer:
    return _Answer(status, content_type, body.decode(errors="replace"))


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A witness lies where it was configured to lie, and nowhere else."""


def _opener() -> OpenerDirector:
    return build_opener(_NoRedirects)
