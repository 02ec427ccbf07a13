"""The whole ledger checked again from nothing, over stored bytes.

This is a second implementation on purpose: it imports neither ``chain``, ``merkle``, ``checkpoint`` nor ``store``, so a
mistake there cannot hide itself here.  Only the state check uses ``cylinder.replay``'s own step.  It is pure: the
caller reads the rows and hands them in, in the order of the log.

Steps, per entry:
  1. the index follows on; 2. the text hashes to the hash stored beside it; 3. the text is canonical JSON;
  4. the columns copied out of the text still say what it says; 5. position and predecessor continue the chain;
  6. the ledger's clock did not run backwards; 7. the event is one that can happen here, and folds into a state.
Per tile: 8. its hashes are those of the stored entries.
Per device: 9. its records form its own chain, and the chain's signed heads are the device's.
Per checkpoint: 10. signed by the log's key; 11. its size exists; 12. its root is the root of the stored entries.
At the end: 13. the stored read model equals the folded state.
What none of this can see without a checkpoint kept elsewhere (a deleted tail, a database set back, a fork) stands in
the report under `not_excluded`: it is never said to have passed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

from cylinder_trace.auditing.cosigners import Cosigner, Lines, read_cosigner
from cylinder_trace.auditing.folding import Code, Fold
from cylinder_trace.auditing.hashing import BLOCK, HASH
from cylinder_trace.auditing.joining import Joined
from cylinder_trace.auditing.notes import (
    LogKey,
    NotSigned,
    Signed,
    open_checkpoint_note,
    read_rotations,
    read_vkey,
    with_rotated,
)
from cylinder_trace.auditing.stored import (
    AuditReport,
    Fault,
    FaultKind,
    NotExcluded,
    StoredEntry,
    StoredHead,
    StoredRecord,
)
from cylinder_trace.auditing.stretch import Given, Stretch, examine

__all__ = [
    "AuditReport",
    "Auditor",
    "Cosigner",
    "Fault",
    "FaultKind",
    "Given",
    "LogKey",
    "NotExcluded",
    "StoredEntry",
    "StoredHead",
    "StoredRecord",
    "Stretch",
    "examine",
    "read_cosigner",
    "read_vkey",
]

_STRETCH = 16 * BLOCK
_EXPLAINS = {"edited", "deleted", "inserted", "reordered"}


class Auditor:
    """Feed entries in order, then call `finish`.

    Memory: one head and one state per subject, 32 bytes per 256 entries, what devices recorded since their last head.
    `integrity` leaves the states out: canonical bytes, chains, tree, checkpoints and head signatures remain.
    """

    def __init__(
        self,
        checkpoints: Sequence[str],
        key: LogKey | Sequence[LogKey],
        *,
        remembered: Sequence[str] = (),
        published: Sequence[str] = (),
        rotations: str = "",
        cosigners: Sequence[Cosigner] = (),
        integrity: bool = False,
    ) -> None:
        """`checkpoints` stand in the database, `published` beside it, `remembered` out of its owner's reach.

        `rotations` are the statements by which the log's key was rotated, `cosigners` keys of witnesses and other
        keys of the log.
        """
        self.report = AuditReport()
        self.keys = [key] if isinstance(key, LogKey) else list(key)
        self.origin = self.keys[0].name
        self.joined = Joined(self.origin)
        self.fold = None if integrity else Fold()
        self.references = False
        """Whether the index of references will be compared: set it before anything is checked."""
        self.since = 0
        """Entries before this one were checked by an earlier audit."""
        self._unsigned: list[Fault] = []
        self.keys = with_rotated(self.keys, self._rotated(rotations))
        self._lines = Lines([*self.keys, *cosigners])
        self._kept = {*self._opened(remembered, "a remembered checkpoint")}
        self._stored = {*self._opened(checkpoints, "a stored checkpoint")}
        self.due = sorted({*self._opened(published, "the published checkpoint"), *self._stored, *self._kept})
        self._sizes = sorted({signed.size for signed in self.due})
        self._roots_after(0)

    def check(self, rows: Iterable[StoredEntry], tiles: Mapping[int, bytes] | None = None) -> None:
        """Check the next rows of the log; `tiles` are the stored ones of level 0 over them, by number."""
        source = iter(rows)
        while chunk := list(islice(source, _STRETCH)):
            self.join(examine(chunk, self.given(tiles or {})))
            if self.fold is not None:
                self.take_folded(self.fold.take(chunk))

    def given(self, tiles: Mapping[int, bytes]) -> Given:
        """What the next stretch is examined with."""
        return Given(self.origin, self.joined.count, self.joined.tail, self._sizes, tiles, self.references)

    def given_at(self, start: int, tiles: Mapping[int, bytes]) -> Given:
        """What a later stretch is examined with; `start` is the first leaf of a block."""
        return Given(self.origin, start, b"", self._sizes, tiles, self.references)

    def join(self, stretch: Stretch) -> None:
        """Put an examined stretch behind the ones before it."""
        before = self.joined.count
        self.joined.join(stretch)
        self._roots_after(before)
        self.report.entries = self.joined.next_index

    def take_folded(self, faults: Iterable[Fault]) -> None:
        """Take over what a fold of the same rows found; an edited entry has been named already."""
        self.joined.faults += [fault for fault in faults if fault.index not in self.joined.edited]

    def settle_devices(self, read: Callable[[str, int, int], Iterable[StoredRecord] | None], entries: int) -> None:
        """Compare the devices' journals with the entries, up to the heads signed so far, and hold those no longer.

        `read` gives a device's journal from one sequence to another, None where there is none; `entries` is how many
        there are in all.
        """
        devices = self.joined.devices
        for device_id, (first, last) in devices.due().items():
            journal = read(device_id, first, last)
            if journal is not None:
                devices.settle_early(device_id, journal, entries)

    def _roots_after(self, before: int) -> None:
        """Compare the roots of checkpoints that end in what was joined last."""
        for signed in self.due:
            if before < signed.size <= self.joined.count or signed.size == before == self.joined.count == 0:
                self.joined.compare_root(signed)

    def _opened(self, notes: Iterable[str], what: str) -> list[Signed]:
        found = []
        for note in notes:
            try:
                found.append(open_checkpoint_note(note, self.keys))
                self._lines.check_note(note, found[-1].size)
            except NotSigned as error:
                message = f"{what} is not the log's own: {error}"
                self._unsigned.append(Fault("forged_author", "", -1, "checkpoint", message))
        return found

    def _rotated(self, statements: str) -> list[tuple[LogKey, LogKey]]:
        try:
            return read_rotations(statements)
        except ValueError as error:
            message = f"a statement that the log's key was rotated is not signed by both keys: {error}"
            self._unsigned.append(Fault("forged_author", "", -1, "rotation", message))
            return []

    def finish(
        self,
        read_model: Mapping[str, str] | None = None,
        *,
        journal: Iterable[StoredRecord] | None = None,
        heads: Iterable[StoredHead] | None = None,
        upper_tiles: Mapping[tuple[int, int], bytes] | None = None,
        states_differ: Iterable[str] | None = None,
        codes: Iterable[Code] | None = None,
        codes_differ: Iterable[Code] = (),
        cosignatures: Iterable[tuple[int, str]] = (),
        beside: Iterable[Fault] = (),
    ) -> AuditReport:
        """Check what is left, each as far as it is given.

        `read_model` is subject → state JSON (only of what changed, when an earlier audit is continued); `journal` what
        devices uploaded, from where `joined.devices.settled` stands; `upper_tiles` those above level 0;
        `states_differ` and `codes_differ` name what folds elsewhere found to differ; `codes` are those of the read
        model; `cosignatures` are lines kept beside checkpoints, with the size of each; `beside` are faults that were
        found in what stands beside the entries.
        """
        joined, report = self.joined, self.report
        joined.devices.settle(journal, joined.next_index)
        faults = [*self._unsigned, *joined.settled_faults(), *joined.devices.faults]
        faults += joined.upper_tile_faults(upper_tiles or {})
        faults += self._checkpoint_faults(faults)
        if heads is not None:
            faults += joined.head_faults(heads, whole=not self.since)
        if self.fold is not None and read_model is not None:
            states_differ = self.fold.compare(read_model, self.since)
        faults += [joined.state_fault(subject) for subject in states_differ or ()]
        if self.fold is not None and codes is not None:
            codes_differ = self.fold.compare_codes(codes)
        faults += [joined.code_fault(*code) for code in codes_differ]
        self._lines.check_rows(cosignatures)
        faults += [*self._lines.faults, *beside]
        report.faults = faults
        report.size, report.root = joined.best.size if joined.best else 0, joined.best.root.hex() if joined.best else ""
        report.not_excluded = self._not_excluded(read_model is not None or states_differ is not None)
        return report

    def _checkpoint_faults(self, others: Sequence[Fault]) -> list[Fault]:
        faults = []
        entries = self.joined.next_index
        beyond = [signed for signed in self.due if signed.size > entries]
        if beyond:
            faults.append(self._beyond(beyond))
        named = [fault.index for fault in others if fault.kind in _EXPLAINS]
        unlike = [signed for signed in self.joined.unlike if not any(index < signed.size for index in named)]
        twins = {a.size for a, b in pairwise(beyond) if a.size == b.size}
        if unlike:
            first = unlike[0]
            whose = "a remembered checkpoint" if first in self._kept else "the signed checkpoint"
            good = max((one.size for one in self.joined.alike if one.size < first.size), default=0)
            message = f"{whose} of {first.size} entries has another root than the stored entries"
            faults.append(Fault("forked", "", first.size - 1, "checkpoint", f"{message}; they agree up to {good}"))
        if twins:
            message = f"two signed checkpoints of {min(twins)} entries have two roots"
            faults.append(Fault("forked", "", min(twins) - 1, "checkpoint", message))
        return faults

    def _beyond(self, beyond: Sequence[Signed]) -> Fault:
        entries, size = self.joined.next_index, beyond[-1].size
        if self._stored.intersection(beyond):
            return Fault("truncated", "", entries, "checkpoint", f"a signed checkpoint has {size} entries")
        message = f"a signed checkpoint has {size} entries, and the database knows none of it: it is an older one"
        return Fault("rolled_back", "", entries, "checkpoint", message)

    def _not_excluded(self, states_checked: bool) -> list[NotExcluded]:
        entries, kept = self.joined.next_index, max((one.size for one in self._kept), default=0)
        behind = f"behind entry {kept - 1}, the last that a remembered checkpoint covers" if kept else "at all"
        mend = "hand in a newer checkpoint kept elsewhere, as by a witness (--remembered)"
        kinds: list[tuple[FaultKind, str]] = [
            ("truncated", "a deleted tail, its checkpoints deleted with it, cannot be excluded"),
            ("rolled_back", "an older copy of the whole store cannot be excluded"),
            ("forked", "another log, shown to others under the same key, cannot be excluded"),
        ]
        found = [NotExcluded(kind, f"{message} {behind}: {mend}") for kind, message in kinds]
        covered = self.report.size
        if covered < entries:
            message = f"entries {covered}–{entries - 1} stand under no checkpoint that fits: what was changed there"
            found.append(NotExcluded("edited", f"{message} with all its hashes cannot be excluded"))
        if not states_checked:
            found.append(NotExcluded("state_mismatch", "the read model was not compared with the entries"))
        if self.since:
            message = f"entries before {self.since} were checked by an earlier audit and not read again"
            found.append(NotExcluded("edited", f"{message}: what was changed there since cannot be excluded"))
        return found + self.joined.devices.not_excluded + self._lines.not_excluded()

    def state(self) -> dict[str, Any]:
        """All that a later audit needs to go on from here, as JSON."""
        states = list(self.fold.as_json()) if self.fold else None
        return {"format": _STATE, "origin": self.origin, "states": states, **self.joined.as_json()}

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; raises ValueError if it is of another log or another kind of audit, or no state."""
        if state.get("format") != _STATE or state.get("origin") != self.origin:
            raise ValueError("it is not the state of an audit of this log")
        if self.fold is not None and state["states"] is None:
            raise ValueError("it is the state of an integrity audit, which knows no states: say --integrity")
        self.joined = Joined.from_json(self.origin, state)
        if self.fold is not None:
            self.fold.take_up(state["states"])
        self.since = self.report.entries = self.joined.next_index
        self.due = [signed for signed in self.due if signed.size > self.joined.count - len(self.joined.tail) // HASH]
        self._recheck_kept()

    def _recheck_kept(self) -> None:
        """Checkpoints that end in the unfinished block can still be compared; older ones were, by the earlier audit."""
        for signed in self.due:
            if signed.size <= self.joined.count:
                self.joined.compare_root(signed)


_STATE = "pinglian-audit-state/2"
