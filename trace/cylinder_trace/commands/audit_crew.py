"""The processes of an audit: each examines its own stretches of the log and folds the states of its own subjects.

Every row is read once, by whoever examines it; what another process folds it hands on.  While the stretches of one
window are joined by whoever asked for them, the next window is being examined already.
"""

import marshal
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, NamedTuple, Self

from cylinder_trace.audit import Fault, Given, Stretch, examine
from cylinder_trace.auditing.folding import Code, Fold, FoldState, shard_of
from cylinder_trace.auditing.references import Span
from cylinder_trace.auditing.stored import StoredEntry, StoredEvent
from cylinder_trace.commands.passes import few_collections, spans_that_differ
from cylinder_trace.commands.shared import CannotCheck, from_store

Range = tuple[int, int]


class Crew:
    """As many processes as cores; each keeps the states of the subjects that fall to it."""

    def __init__(self, jobs: int, place: str, token: str | None, states: FoldState | None, given: Given) -> None:
        # Not forked: a forked process would share open database files with this one.
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        self._events: list[list[bytes]] = [[] for _ in range(jobs)]
        for shard in range(jobs):
            pipe, other = context.Pipe()
            job = (other, place, token, states, given, shard, jobs)
            process = context.Process(target=work, args=job, daemon=True)
            process.start()
            other.close()
            self._pipes.append(pipe)
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()

    def begin(self, window: Sequence[Range], tail: bytes) -> None:
        """Have ranges examined that follow on each other, one by each process; `examined` waits for them.

        `tail` are the leaves of the unfinished block before the first range; the others begin with a block.
        """
        for place, pipe in enumerate(self._pipes):
            own = window[place] if place < len(window) else None
            pipe.send(("examine", (own, b"" if place else tail, self._events[place])))

    def examined(self) -> tuple[list[Stretch], list[Fault]]:
        """The stretches, in the order of the log; and what folding the windows before this one found."""
        answers: list[Examined] = [_answer(pipe) for pipe in self._pipes]
        # Whose subject it is folds it with the next window, each process's part in the order of the log.
        self._events = [[answer.events[place] for answer in answers] for place in range(len(answers))]
        stretches = [answer.stretch for answer in answers if answer.stretch is not None]
        return stretches, [fault for answer in answers for fault in answer.faults]

    def folded(self) -> list[Fault]:
        """What folding the last window found; from here on the states are those of all that was examined."""
        for place, pipe in enumerate(self._pipes):
            pipe.send(("fold", self._events[place]))
        self._events = [[] for _ in self._pipes]
        return [fault for pipe in self._pipes for fault in _answer(pipe)]

    def compare(self, since: int) -> list[str] | None:
        """Subjects whose stored state is not what was folded; None where no read model is shown."""
        answers = self._ask("compare", since)
        return None if None in answers else sorted(subject for found in answers for subject in found)

    def compare_codes(self) -> list[Code]:
        """Codes that do not lead where they should."""
        return sorted(code for found in self._ask("compare_codes", None) for code in found)

    def compare_references(self, spans: Sequence[Span]) -> list[Span]:
        """The spans in which the stored references differ."""
        share = -(-len(spans) // len(self._pipes))
        for place, pipe in enumerate(self._pipes):
            pipe.send(("compare_references", spans[place * share : (place + 1) * share]))
        return [span for pipe in self._pipes for span in _answer(pipe)]

    def states(self) -> FoldState:
        """Every state, as stored JSON, and every code."""
        states: dict[str, str] = {}
        codes: list[Code] = []
        for some, more in self._ask("states", None):
            states |= some
            codes += more
        return states, codes

    def _ask(self, word: str, about: Any) -> list[Any]:
        for pipe in self._pipes:
            pipe.send((word, about))
        return [_answer(pipe) for pipe in self._pipes]


class Examined(NamedTuple):
    """What one process answers about its stretch."""

    stretch: Stretch | None
    events: list[bytes]
    """Per process: what of this stretch it is to fold; empty where that is the one that answers."""
    faults: list[Fault]


def _answer(pipe: Connection) -> Any:
    try:
        word, answer = pipe.recv()
    except EOFError as error:
        raise CannotCheck("a process of the audit has died; try again, with --jobs 1 if it dies again") from error
    if word == "cannot":
        raise CannotCheck(answer)
    return answer


def work(
    pipe: Connection,
    place: str,
    token: str | None,
    states: FoldState | None,
    given: Given,
    shard: int,
    shards: int,
) -> None:
    """What one process does: answer until nobody asks any more."""
    try:
        with few_collections():
            job = _Job(place, token, states, given, shard, shards)
            while True:
                word, about = pipe.recv()
                pipe.send(("done", getattr(job, word)(about)))
    except EOFError:
        return  # the audit is over
    except CannotCheck as error:
        pipe.send(("cannot", str(error)))
    except KeyboardInterrupt:
        return  # the one at the keyboard is answered by the process that asked


class _Job:
    def __init__(
        self, place: str, token: str | None, states: FoldState | None, given: Given, shard: int, shards: int
    ) -> None:
        from cylinder_trace.store.audit_reading import open_audit_source

        self._source = from_store(lambda: open_audit_source(place, token))
        self._given = given
        self._shard, self._shards = shard, shards
        self._own: list[StoredEvent] = []
        """Of the stretch examined last: what is folded here."""
        self._fold = Fold(shard, shards) if states is not None else None
        if self._fold is not None and states:
            self._fold.take_up(states)

    def examine(self, about: tuple[Range | None, bytes, list[bytes]]) -> Examined:
        own, tail, events = about
        faults = self.fold(events)
        if own is None:
            return Examined(None, self._parted([]), faults)
        rows = from_store(lambda: self._source.rows(*own))
        tiles = from_store(lambda: self._source.tiles(*own))
        stretch = examine(rows, self._given._replace(size=own[0], tail=tail, tiles=tiles))
        return Examined(stretch, self._parted(rows), faults)

    def _parted(self, rows: Sequence[StoredEntry]) -> list[bytes]:
        parts: list[list[StoredEvent]] = [[] for _ in range(self._shards)]
        for row in rows if self._fold else ():
            parts[shard_of(row.subject, self._shards)].append(StoredEvent(row.index, row.subject, row.type, row.text))
        self._own, parts[self._shard] = parts[self._shard], []
        # Columns of plain values are an order of magnitude cheaper to hand on than objects.
        return [marshal.dumps([*map(list, zip(*part, strict=True))]) if part else b"" for part in parts]

    def fold(self, events: list[bytes]) -> list[Fault]:
        faults: list[Fault] = []
        for place, part in enumerate(events if self._fold else ()):
            mine = self._own if place == self._shard else map(StoredEvent._make, zip(*_columns(part), strict=True))
            faults += self._fold.take(mine) if self._fold else []
        self._own = []
        return faults

    def compare(self, since: int) -> list[str] | None:
        read_model = from_store(lambda: self._source.read_model(since))
        return self._fold.compare(read_model, since) if self._fold and read_model is not None else None

    def compare_codes(self, _about: None) -> list[Code]:
        fold, codes = self._fold, from_store(self._source.codes)
        return from_store(lambda: fold.compare_codes(codes)) if fold and codes is not None else []

    def compare_references(self, spans: Sequence[Span]) -> list[Span]:
        return from_store(lambda: spans_that_differ(self._source, spans))

    def states(self, _about: None) -> FoldState:
        return self._fold.as_json() if self._fold else ({}, [])


def _columns(part: bytes) -> list[list[Any]]:
    return marshal.loads(part) if part else []  # noqa: S302 - from a process of this audit
