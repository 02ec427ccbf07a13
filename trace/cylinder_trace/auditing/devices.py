"""Devices' own chains: each record names the hash of the one before it, and a signed head covers all before it.

The log's owner holds no device's key.  So what a device recorded cannot be changed by him, not even with every hash
and chain recomputed and the log's own key in hand: the signed head names the hash of what the device really wrote.

A device whose journal forked has a second branch (分叉): a chain of its own from where it is declared on, with a head
that the device signed like any other.  Here it goes by the device's id and ``SECOND_BRANCH``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cylinder_trace.auditing.hashing import Hashing
from cylinder_trace.auditing.notes import is_device_signature
from cylinder_trace.auditing.stored import Fault, FaultKind, NotExcluded, StoredRecord
from cylinder_trace.auditing.stretch import NO_PREVIOUS, DeviceFact, DeviceRecord, DeviceRun
from cylinder_trace.auditing.texts import canonical_object

SECOND_BRANCH = "/2"
"""Behind a device's id: its second branch.  No id has a slash."""
_STATUSES = {"stored", "linked", "disputed"}
_SECOND = ".station"
_sha256 = Hashing("").leaf


class End(NamedTuple):
    """How far a device's chain was followed: the next sequence, and the hash of the last record."""

    seq: int = 0
    hash: str = NO_PREVIOUS


_NOWHERE = End(-1, "")


class _Line(NamedTuple):
    device_id: str
    seq: int
    prev: str
    hash: str
    at: int


@dataclass(slots=True)
class Devices:
    """What the entries say about the devices' chains.

    Memory: what devices recorded since their last settled head, about 500 bytes a record.
    """

    keys: dict[str, str] = field(default_factory=dict)
    settled: dict[str, End] = field(default_factory=dict)
    """Up to where a device's chain stands under a signed head that was checked."""
    forks: dict[str, int] = field(default_factory=dict)
    """The second branches that are declared, and where each begins."""
    records: dict[str, dict[int, DeviceRecord]] = field(default_factory=dict)
    heads: dict[str, dict[int, DeviceFact]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    not_excluded: list[NotExcluded] = field(default_factory=list)
    _ends: dict[str, End] = field(default_factory=dict)
    """Where a device's records end, as long as each followed on the one before it, from `settled` on."""
    newest: dict[str, int] = field(default_factory=dict)
    """The highest sequence of a device's records."""
    _seen: dict[str, set[int]] = field(default_factory=dict)
    """Records that the journals read so far hold."""
    _late: set[str] = field(default_factory=set)
    """Devices with something wrong: they are settled at the end."""
    _gaps: bool = False

    def take(self, facts: Iterable[DeviceFact | DeviceRun]) -> None:
        """What the next entries say, in the order of the log."""
        for fact in facts:
            if isinstance(fact, DeviceRun):
                self._take_run(fact)
            elif fact.word == "key":
                self.keys[fact.device_id] = fact.text
            elif fact.word == "fork":
                self._take_fork(fact)
            elif fact.word == "end":
                self.keys.pop(fact.device_id, None)
                self.keys.pop(fact.device_id + SECOND_BRANCH, None)
            else:
                self._take_head(fact)

    def _take_fork(self, fact: DeviceFact) -> None:
        """From here on the device's records are those of its second branch."""
        branch = fact.device_id + SECOND_BRANCH
        if branch in self.settled or fact.device_id not in self.keys:
            message = f"device {fact.device_id} has no second branch to begin here"
            self.faults.append(Fault("forged_author", fact.subject, fact.at, "journal_forked", message))
            return
        self.settled[branch], self.keys[branch] = End(fact.seq, fact.hash), self.keys[fact.device_id]
        self.forks[branch] = fact.seq

    def _chain_of(self, device_id: str) -> str:
        """The chain that what the device says now belongs to."""
        branch = device_id + SECOND_BRANCH
        return branch if branch in self.forks else device_id

    def _take_run(self, run: DeviceRun) -> None:
        device_id, (first, _hash, prev, *_rest) = self._chain_of(run.device_id), run.records[0]
        last, head, *_rest = run.records[-1]
        records = self.records.setdefault(device_id, {})
        whole = run.whole and (first, prev) == self._ends.get(device_id, self.settled.get(device_id, End()))
        self._ends[device_id] = End(last + 1, head) if whole else _NOWHERE
        newest = self.newest.get(device_id, self.settled.get(device_id, End()).seq - 1)
        if run.ascending and first > newest and device_id in self.keys:
            records.update({record[0]: record for record in run.records})
        else:
            for record in run.records:
                self._take_record(device_id, record, records)
        self.newest[device_id] = max(records, default=newest) if not run.ascending else max(last, newest)

    def _take_record(self, device_id: str, record: DeviceRecord, records: dict[int, DeviceRecord]) -> None:
        if device_id not in self.keys:
            self._forged(record, "device", f"device {device_id} was not enrolled, or cut off, when this was recorded")
        elif record[0] in records or record[0] < self.settled.get(device_id, End()).seq:
            self._forged(record, "device", f"device {device_id} has another record {record[0]}")
            return
        records[record[0]] = record

    def _take_head(self, fact: DeviceFact) -> None:
        chain = self._chain_of(fact.device_id)
        vkey = self.keys.get(chain, "")
        if is_device_signature(vkey, fact.device_id, fact.seq, fact.hash, fact.text):
            self.heads.setdefault(chain, {})[fact.seq] = fact._replace(device_id=chain)
        else:
            message = f"the head is not signed by the key of device {fact.device_id}"
            self.faults.append(Fault("forged_author", fact.subject, fact.at, "signature", message))

    def _forged(self, record: DeviceRecord, field: str, message: str) -> None:
        *_rest, at, _id, subject = record
        self.faults.append(Fault("forged_author", subject, at, field, message))

    def _blame(self, kind: FaultKind, line: _Line | StoredRecord, index: int, field: str, message: str) -> None:
        self.faults.append(Fault(kind, _subject(line.device_id), index, field, message))

    def due(self) -> dict[str, tuple[int, int]]:
        """Devices with signed heads that are not settled: the first and last record up to the newest of them."""
        found = {}
        for device_id, heads in self.heads.items():
            if device_id not in self._late:
                found[device_id] = (self.settled.get(device_id, End()).seq, max(heads))
        return found

    def settle_early(self, device_id: str, journal: Iterable[StoredRecord], entries: int) -> None:
        """Settle what is due of a device while the log is still being read, so that it need not be held any longer.

        If anything about it is wrong it is left to `settle`, which names it.
        """
        before, known, newest = self.settled.get(device_id, End()), len(self.faults), max(self.heads[device_id])
        self._follow_journal(journal, {device_id: before}, entries)
        records, seen = self.records.get(device_id, {}), self._seen.pop(device_id, set())
        missing = any(seq <= newest and seq not in seen for seq in records)
        if missing or len(self.faults) > known or self.settled.get(device_id, End()).seq != newest + 1:
            del self.faults[known:]
            self.settled[device_id] = before
            self._late.add(device_id)
        else:
            self.records[device_id] = {seq: record for seq, record in records.items() if seq > newest}
            del self.heads[device_id]

    def settle(self, journal: Iterable[StoredRecord] | None, entries: int) -> None:
        """Follow the chains up to the newest heads: through `journal`, or without one through the entries alone.

        `journal` holds, per device in the order of its sequence, every record from the one named in `settled` on.
        """
        ends = dict(self.settled)
        if journal is None:
            self._follow_entries(ends)
        else:
            self._follow_journal(journal, ends, entries)
        self._finish(ends, whole=journal is not None)

    def _follow_journal(self, journal: Iterable[StoredRecord], ends: dict[str, End], entries: int) -> None:
        for row in journal:
            device_id, seq = row.device_id, row.seq
            if device_id.endswith(SECOND_BRANCH) and device_id not in self.forks:
                message = f"record {seq} stands in a second branch that nothing declares"
                self._blame("inserted", row, row.log_index, "journal", message)
                continue
            hasher = _sha256.copy()
            hasher.update(row.text)
            own = hasher.hexdigest()
            record = self.records.get(device_id, {}).get(seq)
            self._seen.setdefault(device_id, set()).add(seq)
            if record and row.hash == own == record[1] and row.log_index == record[3] and _stands(row, record):
                prev = record[2]
                if ends.get(device_id) == (seq, prev) and seq not in self.heads.get(device_id, ()):
                    ends[device_id] = End(seq + 1, own)  # as nearly always; the rest is said by `_follow`
                    continue
            else:
                prev = self._read_line(row, own)
                if row.log_index >= entries:
                    message = f"record {seq} became entry {row.log_index}, which is not there"
                    self._blame("truncated", row, entries, "journal.log_index", message)
                self._compare_with_entry(row, record)
            self._follow(_Line(device_id, seq, prev, row.hash, row.log_index), ends, whole=True)

    def _follow_entries(self, ends: dict[str, End]) -> None:
        for device_id, records in sorted(self.records.items()):
            whole = self._ends.get(device_id, _NOWHERE)
            heads = self.heads.get(device_id, {})
            for seq, (_seq, own, prev, at, *_rest) in sorted(records.items()):
                if whole is _NOWHERE:
                    self._follow(_Line(device_id, seq, prev, own, at), ends, whole=False)
                elif seq in heads:
                    self._settle(_Line(device_id, seq, prev, own, at), heads[seq])
            if whole is not _NOWHERE:
                ends[device_id] = whole

    def _read_line(self, row: StoredRecord, own: str) -> str:
        """Check the row by itself; the hash of the device's record before it, as the text names it."""
        if own != row.hash:
            message = f"the text of record {row.seq} no longer has the hash stored beside it"
            self._blame("edited", row, row.log_index, "journal.text", message)
        record = canonical_object(row.text) or {}
        link: Any = record.get("device")
        link = link if isinstance(link, dict) else {}
        if (link.get("id"), link.get("seq")) != (row.device_id.removesuffix(SECOND_BRANCH), row.seq):
            told = f"{link.get('seq')} of {link.get('id')}"
            message = f"it stands as record {row.seq} of {row.device_id}, and says {told}"
            self._blame("edited", row, row.log_index, "journal.seq", message)
        second = row.status == "disputed" and row.id.endswith(_SECOND)
        if row.status not in _STATUSES or not (second or row.id == record.get("id")):
            message = f"record {row.seq} is not {row.id} {row.status}"
            self._blame("edited", row, row.log_index, "journal.id", message)
        return str(link.get("prev"))

    def _compare_with_entry(self, row: StoredRecord, record: DeviceRecord | None) -> None:
        if record is None:
            if row.status == "stored":
                message = f"record {row.seq} became entry {row.log_index}, which does not say so"
                self._blame("edited", row, row.log_index, "journal.status", message)
            return
        _seq, own, _prev, at, *_rest = record
        if at != row.log_index:
            self._blame("edited", row, at, "journal.log_index", f"record {row.seq} became entry {at}")
        elif own != row.hash:
            message = f"this is not record {row.seq} of device {row.device_id} as it uploaded it"
            self._forged(record, "device", message)

    def _follow(self, line: _Line, ends: dict[str, End], *, whole: bool) -> None:
        end = ends.get(line.device_id, End())
        if line.seq != end.seq:
            self._gaps = True
            if whole:
                kind: FaultKind = "deleted" if line.seq > end.seq else "inserted"
                message = f"record {end.seq} expected, {line.seq} found"
                self._blame(kind, line, line.at, "journal.seq", message)
        elif line.prev != end.hash:
            message = f"record {line.seq} of the device names another predecessor"
            self._blame("forged_author", line, line.at, "device.prev", message)
        ends[line.device_id] = End(line.seq + 1, line.hash)
        head = self.heads.get(line.device_id, {}).get(line.seq)
        if head is not None:
            self._settle(line, head)

    def _settle(self, line: _Line, head: DeviceFact) -> None:
        """A signed head is reached: everything up to it is what the device wrote, or something is not."""
        if head.hash != line.hash:
            since = self.settled.get(line.device_id, End()).seq
            message = f"the device signed other records: one of its records {since}–{line.seq} is not what it wrote"
            self._blame("forged_author", line, head.at, "head", message)
        self.settled[line.device_id] = End(line.seq + 1, head.hash)

    def _finish(self, ends: Mapping[str, End], *, whole: bool) -> None:
        for device_id, heads in self.heads.items():
            newest = max(heads)
            if newest >= ends.get(device_id, End()).seq and whole:
                message = f"the device signed up to record {newest}, which is not here"
                self.faults.append(Fault("truncated", _subject(device_id), heads[newest].at, "journal", message))
            elif newest >= self.settled.get(device_id, End()).seq:
                self.settled[device_id] = End(newest + 1, heads[newest].hash)
        self.heads = {}
        self._require_signed_branches()
        self._name_the_uncovered(ends, whole=whole)

    def _require_signed_branches(self) -> None:
        """A branch is declared together with its head: whoever has no key of the device can declare none."""
        for branch, first in self.forks.items():
            if self.settled[branch].seq <= first:
                message = f"the second branch from record {first} on stands under no head that the device signed"
                self.faults.append(Fault("forged_author", _subject(branch), -1, "journal_forked", message))

    def _name_the_uncovered(self, ends: Mapping[str, End], *, whole: bool) -> None:
        self.not_excluded = []
        for device_id, end in sorted(ends.items()):
            count = end.seq - self.settled.get(device_id, End()).seq
            if count > 0:
                message = f"the last {count} records of device {device_id} stand under no signed head yet"
                self.not_excluded.append(NotExcluded("forged_author", message))
        for device_id, records in self.records.items() if whole else ():
            for seq, record in records.items():
                if seq not in self._seen.get(device_id, ()):
                    self._forged(record, "device", f"device {device_id} never uploaded this record {seq}")
        if not whole and self._gaps:
            message = "only the entries were given: records of devices that became no entry are not in their chains"
            self.not_excluded.append(NotExcluded("forged_author", message))
        self.records = self._unsettled()

    def _unsettled(self) -> dict[str, dict[int, DeviceRecord]]:
        found: dict[str, dict[int, DeviceRecord]] = {}
        for device_id, records in self.records.items():
            first = self.settled.get(device_id, End()).seq
            rest = {seq: record for seq, record in records.items() if seq >= first}
            found |= {device_id: rest} if rest else {}
        return found


def _subject(chain: str) -> str:
    return f"device/{chain.removesuffix(SECOND_BRANCH)}"


def _stands(row: StoredRecord, record: DeviceRecord) -> bool:
    """Whether a row with the hash of an entry's own record calls it what it is: then both say the same."""
    if row.id == record[4]:
        return row.status in _STATUSES
    return row.status == "disputed" and row.id == record[4] + _SECOND
