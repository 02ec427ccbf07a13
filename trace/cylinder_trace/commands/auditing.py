"""`cylinder-trace audit`: reads the store, spreads the work over the cores, shows progress, goes on after a stop."""

import json
import os
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, AuditReport, Cosigner, Fault, LogKey, Stretch, read_cosigner, read_vkey
from cylinder_trace.auditing.references import name_references
from cylinder_trace.commands.pace import Pace
from cylinder_trace.commands.passes import few_collections, spans_that_differ
from cylinder_trace.commands.shared import BAD, GOOD, CannotCheck, from_store, kept_checkpoint, read_text, text_or_file
from cylinder_trace.cosignature import CosignerKey, format_cosigner_key
from cylinder_trace.policy import Policy, PolicyError, parse_policy

if TYPE_CHECKING:
    from cylinder_trace.commands.audit_crew import Crew
    from cylinder_trace.store.progress import Tell

Key = TypeVar("Key")
AUDIT = "recompute the whole ledger from nothing and name every fault"
STRETCH = 4_096
"""Entries that one process examines at a time: whole tiles, and little enough to be shown as progress."""
_WORTH_A_PROCESS = 50_000
"""Below so many entries, starting processes costs more than they save."""
_FURTHEST = 2**62
_SHOWN_FAULTS = 20
_SAVING_SHARE = 20
"""The state is written so seldom that writing costs at most a twentieth of the time."""


def add_audit(parser: Any) -> None:
    """Arguments of `audit`."""
    parser.add_argument("source", help="data folder, ledger.db, postgresql://… or http://… of a service")
    parser.add_argument("--token", help="bearer token of an auditor (only for a service)")
    about = "the log's verifying key, or a file with it; without it the key the source names is taken on trust"
    parser.add_argument("--vkey", help=about)
    about = "a checkpoint that a witness or client kept, as by `witness`"
    parser.add_argument("--remembered", action="append", default=[], metavar="FILE", help=about)
    about = "a trust policy (tlog-policy) with keys of the log and its witnesses; without it a data folder's own"
    parser.add_argument("--policy", metavar="FILE", help=about)
    about = "leave the states out: bytes, chains, tree, checkpoints and device signatures only"
    parser.add_argument("--integrity", action="store_true", help=about)
    about = "go on from where the audit that wrote this file stopped, and write it: only what is new is read"
    parser.add_argument("--since", metavar="STATE", help=about)
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes (default: one per core)")


def audit(arguments: Namespace) -> int:
    """Run `audit`."""
    source = from_store(lambda: _open(arguments.source, arguments.token))
    try:
        with few_collections(), Pace() as tell:
            report = _audit(arguments, source, tell)
    finally:
        source.close()
    print(json.dumps(report.as_json(), ensure_ascii=False) if arguments.json else _story(report))
    return GOOD if report.ok else BAD


def _open(place: str, token: str | None) -> Any:
    from cylinder_trace.store.audit_reading import open_audit_source

    return open_audit_source(place, token)


def _audit(arguments: Namespace, source: Any, tell: "Tell") -> AuditReport:
    kept = [kept_checkpoint(path) for path in arguments.remembered]
    notes = from_store(source.checkpoints)  # before the size: what is signed is there, also while the ledger grows
    published = from_store(source.published)
    end = from_store(source.size)
    keys, cosigners = _keys(arguments, source)
    auditor = Auditor(
        notes, keys, remembered=kept, published=published, rotations=from_store(source.rotations), cosigners=cosigners,
        integrity=arguments.integrity,
    )  # fmt: skip
    auditor.references = not arguments.integrity and source.references(0, 0) is not None
    state = State(arguments.since, auditor)
    reading = Reading(auditor, source, state, tell)
    worth = end - auditor.joined.next_index >= _WORTH_A_PROCESS
    jobs = arguments.jobs or (len(os.sched_getaffinity(0)) if worth else 1)
    if jobs > 1 and from_store(source.count) == end:  # where entries are missing, reading goes from gap to gap
        report = _together(arguments, reading, end, jobs)
    else:
        reading.alone(end)
        report = _finish(reading, reading.alone)
        state.save()
    if not (arguments.vkey or arguments.policy):
        report.not_excluded.append(_key_on_trust())
    return report


def _key_on_trust() -> Any:
    from cylinder_trace.audit import NotExcluded

    return NotExcluded("forked", "the key is the one that the source names itself: hand in the log's key with --vkey")


def _keys(arguments: Namespace, source: Any) -> tuple[list[LogKey], list[Cosigner]]:
    """The log's keys, as handed in or else as the source names them; and those of its witnesses."""
    policy = _policy(arguments.policy, source)
    handed = text_or_file(arguments.vkey).split() if arguments.vkey else []
    if arguments.policy and not handed:
        handed = [_as_text(key) for key in policy.logs]
    named = from_store(source.vkeys)
    others = read_all([*handed, *named, *map(_as_text, policy.witnesses.values())], read_cosigner)
    return _log_keys(handed or named), others


def _policy(path: str | None, source: Any) -> Policy:
    try:
        return parse_policy(read_text(path) if path else from_store(source.policy))
    except PolicyError as error:
        if path is None:
            return Policy(())  # the ledger's own, or none: without it lines of witnesses are counted, not judged
        raise CannotCheck(f"{path}: {error}") from error


def _as_text(key: Any) -> str:
    return format_cosigner_key(key) if isinstance(key, CosignerKey) else format_vkey(key)


def _log_keys(texts: Sequence[str]) -> list[LogKey]:
    if not texts:
        raise CannotCheck("say whose log this should be: --vkey KEY or a file with the key")
    keys = read_all(texts, read_vkey)
    if not keys:
        raise CannotCheck(f"not a verifying key name+id+base64, as in the log's file keys: {texts[0]}")
    return keys


def read_all(texts: Sequence[str], read: Callable[[str], Key]) -> list[Key]:
    """The keys among `texts` that are of the kind `read` reads; the others are of other kinds."""
    keys = []
    for text in texts:
        with suppress(ValueError):
            keys.append(read(text))
    return keys


def stretches(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The ranges from `start` to `end`, each but the first beginning a stretch."""
    while start < end:
        stop = min(end, start - start % STRETCH + STRETCH)
        yield start, stop
        start = stop


class Reading:
    """The log read to its end, and what goes with it."""

    def __init__(self, auditor: Auditor, source: Any, state: "State", tell: "Tell") -> None:
        self.auditor, self.source, self.state, self.tell = auditor, source, state, tell
        self._references: list[Fault] = []

    def alone(self, end: int) -> None:
        """Check the entries up to `end` in this process."""
        first = self.auditor.joined.next_index
        while first < end:
            stop = min(end, first - first % STRETCH + STRETCH)
            rows, tiles = self._read(first, stop)
            self.auditor.check(rows, tiles)
            self._settle_devices(end)
            self.shown(stop, end)
            # A changed index can open a gap that no reading by ranges would ever cross.
            first = stop if rows else max(stop, from_store(lambda: self.source.next_from(stop)))  # noqa: B023

    def spread(self, crew: "Crew", jobs: int, end: int) -> None:
        """The same with all processes: what one window showed is joined while they examine the next."""
        ranges = list(stretches(self.auditor.joined.next_index, end))
        windows = [ranges[at : at + jobs] for at in range(0, len(ranges), jobs)]
        examined: list[Stretch] = []
        tail, begun = self.auditor.joined.tail, 0
        # With states, what one window showed must be handed on before the next is begun; without, one waits in line.
        ahead = 1 if self.auditor.fold else 2
        for at, window in enumerate(windows):
            for next_one in windows[begun : at + ahead]:
                crew.begin(next_one, b"" if begun else tail)
                begun += 1
            self._join(examined)
            self._settle_devices(end)
            examined, folded = crew.examined()
            self.auditor.take_folded(folded)
            # Joined and folded is now all before this window, so that a state written here is whole.
            self.shown(window[-1][1], end)
        self._join(examined)
        self.auditor.take_folded(crew.folded())

    def _join(self, examined: Sequence[Stretch]) -> None:
        for stretch in examined:
            self.auditor.join(stretch)

    def compare_references(self, crew: "Crew | None") -> None:
        """Compare the index of references with what was joined since this was done last; name each row that differs."""
        spans, self.auditor.joined.references = self.auditor.joined.references, []
        source = self.source
        differ = crew.compare_references(spans) if crew else from_store(lambda: spans_that_differ(source, spans))
        for first, stop, _digest in differ:
            stored = from_store(lambda: list(source.references(first, stop)))  # noqa: B023
            self._references += name_references(from_store(lambda: source.rows(first, stop)), stored)  # noqa: B023

    def reference_faults(self, more: Sequence[Fault]) -> list[Fault]:
        """All that was found wrong with references, but for entries that were changed and have been named for that."""
        return [fault for fault in [*self._references, *more] if fault.index not in self.auditor.joined.edited]

    def _settle_devices(self, end: int) -> None:
        from_store(lambda: self.auditor.settle_devices(self.source.journal_of, end))

    def _read(self, first: int, stop: int) -> tuple[Any, Any]:
        return from_store(lambda: (self.source.rows(first, stop), self.source.tiles(first, stop)))

    def shown(self, stop: int, end: int) -> None:
        """Everything up to `stop`, of what goes up to `end`, has been examined."""
        self.tell("entries checked 核查", stop, end)
        self.state.save_sometimes()


def _together(arguments: Namespace, reading: Reading, end: int, jobs: int) -> AuditReport:
    """The same, a stretch at a time on every core."""
    from cylinder_trace.commands.audit_crew import Crew

    auditor = reading.auditor
    reading.alone(min(end, -(-auditor.joined.next_index // STRETCH) * STRETCH))
    states = auditor.fold.as_json() if auditor.fold else None
    with Crew(jobs, arguments.source, arguments.token, states, auditor.given_at(0, {})) as crew:
        reading.state.states = crew.states

        def go(end: int) -> None:
            reading.spread(crew, jobs, end)

        go(end)
        report = _finish(reading, go, crew)
        reading.state.save()
    return report


def _finish(reading: Reading, go: Callable[[int], None], crew: "Crew | None" = None) -> AuditReport:
    """What stands beside the entries, read when no entry was added meanwhile: a ledger may grow while it is audited."""
    auditor, source = reading.auditor, reading.source
    settled = {device_id: place.seq for device_id, place in auditor.joined.devices.settled.items()}
    while True:
        reading.compare_references(crew)
        beside = from_store(lambda: _beside(source, settled, auditor, crew))
        size = from_store(source.size)
        if size <= auditor.joined.next_index:
            beside["beside"] = reading.reference_faults(beside["beside"])
            return auditor.finish(**beside)
        go(size)


def _beside(source: Any, settled: dict[str, int], auditor: Auditor, crew: "Crew | None") -> dict[str, Any]:
    journal, heads = source.journal(settled), source.heads(auditor.since)
    beside = {
        "upper_tiles": source.upper_tiles(auditor.joined.count),
        "journal": None if journal is None else list(journal),
        "heads": None if heads is None else list(heads),
        "cosignatures": source.cosignatures(),
        "beside": _references_beyond(source, auditor) if auditor.references else [],
    }
    if auditor.fold and crew:
        return {**beside, "states_differ": crew.compare(auditor.since), "codes_differ": crew.compare_codes()}
    if auditor.fold:
        codes = source.codes()
        return {
            **beside,
            "read_model": source.read_model(auditor.since),
            "codes": None if codes is None else list(codes),
        }
    return beside


def _references_beyond(source: Any, auditor: Auditor) -> list[Fault]:
    """Faults of references to entries before the first or behind the last."""
    pairs = list(source.references(auditor.joined.next_index, _FURTHEST))
    return name_references([], [*([] if auditor.since else source.references(-_FURTHEST, 0)), *pairs])


class State:
    """The file that an audit goes on from. A kill loses what was checked since it was written, and nothing else."""

    def __init__(self, path: str | None, auditor: Auditor) -> None:
        self._path = Path(path) if path else None
        self._auditor = auditor
        self._saved, self._took = time.monotonic(), 0.05
        self.states: Any = None
        """Where the states are, if other processes fold them."""
        if self._path and self._path.exists():
            self._take_up(self._path)

    def _take_up(self, path: Path) -> None:
        try:
            self._auditor.take_up(orjson.loads(path.read_bytes()))
        except (ValueError, AttributeError) as error:
            raise CannotCheck(f"{path} cannot be gone on from: {error}; name another file, or remove it") from error

    def save_sometimes(self) -> None:
        """Write it, unless that was done a moment ago."""
        if self._path and time.monotonic() - self._saved > max(1.0, _SAVING_SHARE * self._took):
            self.save()

    def save(self) -> None:
        """Write it. Crash point: before the rename the old state stands, after it the new one."""
        if self._path is None:
            return
        began = time.monotonic()
        state = self._auditor.state()
        if self.states is not None and state["states"] is not None:
            state["states"] = self.states()
        new = self._path.with_name(f".{self._path.name}.new")
        new.write_bytes(orjson.dumps(state, default=list))
        new.replace(self._path)
        self._saved = time.monotonic()
        self._took = self._saved - began


def _story(report: AuditReport) -> str:
    lines = [f"{report.entries} entries 条记录, newest checkpoint {report.size}, root {report.root or '-'}"]
    for fault in report.faults[:_SHOWN_FAULTS]:
        place = f"{fault.subject or 'log'} · index {fault.index} · {fault.field}"
        lines.append(f"✘ {fault.kind}: {place}: {fault.message}")
    if (hidden := len(report.faults) - _SHOWN_FAULTS) > 0:
        lines.append(f"… and {hidden} more (--json lists all)")
    if report.ok:
        lines.append("✔ every entry, chain, state and checkpoint that was looked at fits 全部一致")
    lines += [f"? cannot be excluded 不能排除: {item.kind}: {item.message}" for item in report.not_excluded]
    return "\n".join(lines)
