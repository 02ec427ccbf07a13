"""The processes of an audit: each examines its own stretch of the log and folds the states of its own subjects."""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from cylinder_trace.audit import Fault, Given, Stretch, examine
from cylinder_trace.auditing.folding import Fold
from cylinder_trace.commands.shared import CannotCheck, from_store

Range = tuple[int, int]


class Crew:
    """As many processes as cores; each keeps the states of the subjects that fall to it."""

    def __init__(
        self, jobs: int, place: str, token: str | None, states: Mapping[str, str] | None, given: Given
    ) -> None:
        # Not forked: a forked process would share open database files with this one.
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
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

    def examine(self, window: Sequence[Range], tail: bytes) -> Iterator[tuple[Stretch, list[Fault]]]:
        """Examine ranges that follow on each other, one per process; answers in the order of the log.

        `tail` are the leaves of the unfinished block before the first range; the others begin with a block.
        """
        whole = window[0][0], window[-1][1]
        for place, pipe in enumerate(self._pipes):
            own = window[place] if place < len(window) else None
            pipe.send(("examine", (own, whole, b"" if place else tail)))
        answers = [_answer(pipe) for pipe in self._pipes]
        folded = [fault for _stretch, faults in answers for fault in faults]
        for stretch, _faults in answers:
            if stretch is not None:
                yield stretch, [fault for fault in folded if stretch.first <= fault.index <= stretch.last]

    def compare(self, since: int) -> list[str]:
        """Subjects whose stored state is not what was folded."""
        return sorted(subject for found in self._ask("compare", since) for subject in found)

    def states(self) -> dict[str, str]:
        """Every state, as stored JSON."""
        return {subject: text for found in self._ask("states", None) for subject, text in found.items()}

    def _ask(self, word: str, about: Any) -> list[Any]:
        for pipe in self._pipes:
            pipe.send((word, about))
        return [_answer(pipe) for pipe in self._pipes]


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
    states: Mapping[str, str] | None,
    given: Given,
    shard: int,
    shards: int,
) -> None:
    """What one process does: answer until nobody asks any more."""
    try:
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
        self, place: str, token: str | None, states: Mapping[str, str] | None, given: Given, shard: int, shards: int
    ) -> None:
        from cylinder_trace.store.audit_reading import open_audit_source

        self._source = from_store(lambda: open_audit_source(place, token))
        self._given = given
        self._fold = Fold(shard, shards) if states is not None else None
        if self._fold is not None and states:
            self._fold.take_up(states)

    def examine(self, about: tuple[Range | None, Range, bytes]) -> tuple[Stretch | None, list[Fault]]:
        own, whole, tail = about
        stretch = None
        if own is not None:
            rows = from_store(lambda: self._source.rows(*own))
            tiles = from_store(lambda: self._source.tiles(*own))
            stretch = examine(rows, self._given._replace(size=own[0], tail=tail, tiles=tiles))
        faults = self._fold.take(from_store(lambda: self._source.rows(*whole))) if self._fold else []
        return stretch, faults

    def compare(self, since: int) -> list[str]:
        read_model = from_store(lambda: self._source.read_model(since))
        return self._fold.compare(read_model, since) if self._fold and read_model is not None else []

    def states(self, _about: None) -> dict[str, str]:
        return self._fold.as_json() if self._fold else {}
