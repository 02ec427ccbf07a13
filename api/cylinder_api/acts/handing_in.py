"""The journal of a device that was cut off, handed in by somebody else (停用设备日志补交): evidence, marked as such.

What the device recorded and never uploaded, of either branch, goes on where its journal ends here, byte for byte and
under its own signed head.  But whoever has the device has its key, and may date what he likes before the cut-off.  So
nothing follows from these records by themselves: each cylinder's history tells by a dispute that they exist, the
station's who brought them under which signature, and a person finds out what is true.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cylinder_api.access import Account
from cylinder_api.acts.common import raise_dispute
from cylinder_api.acts.journal import Answer, Line, SignedHead, Taken, Trouble, is_signed, row_of
from cylinder_api.refusals import Refused
from cylinder_trace.chain import Head
from cylinder_trace.store.journals import Uploaded, journal_head, journal_rows, keep_beside, keep_record
from cylinder_trace.store.unit import Unit
from cylinder_trace.subjects import DeviceState

_KIND = "told_after_cut_off"


class HandedIn(NamedTuple):
    """Records of a device as `read_lines` found them."""

    station_id: str
    device_id: str
    lines: Sequence[Line]
    trouble: Trouble | None
    head: SignedHead


def hand_in(unit: Unit, evidence: HandedIn, caller: Account) -> Taken:
    """Keep what goes on from one of the device's branches, and dispute it. The same again changes nothing.

    Raises Refused for a device of another station, and for one that is in force: that one uploads by itself.
    """
    device = _device_of(unit, evidence, caller)
    branches = [_Branch.of(unit, evidence, beside=beside) for beside in (False, True)]
    if not is_signed(device, evidence.head):
        first = evidence.lines[0].seq if evidence.lines else evidence.head.seq
        return Taken([], _next_seq(branches), Trouble(first, "bad_signature", "the head is not signed by its key"))
    answers, news, broken = _sorted_out(branches, evidence.lines)
    if news:
        indexes = _dispute(unit, device, [line for _branch, line in news], evidence.head, caller.account_id)
        for branch, line in news:
            answer = Answer(line.seq, line.record.id, "disputed", indexes[line.record.subject])
            branch.keep(unit, row_of(device, line, answer))
            answers.append(answer)
    return Taken(answers, _next_seq(branches), broken or evidence.trouble)


def _device_of(unit: Unit, evidence: HandedIn, caller: Account) -> DeviceState:
    if caller.role != "auditor" and caller.org_id != evidence.station_id:
        raise Refused("other_station", f"this token speaks for station {caller.org_id}")
    device = unit.device(evidence.device_id)
    if device is None or device.station_id != evidence.station_id:
        raise Refused("device_unknown", "no device of this station is on file under this id")
    if device.revoked_at is None:
        raise Refused("cannot_follow", f"device {device.device_id} is in force; it uploads its journal by itself")
    return device


@dataclass(slots=True)
class _Branch:
    """One of the two branches of a device's journal."""

    here: Head
    known: dict[int, Uploaded]
    beside: bool

    @classmethod
    def of(cls, unit: Unit, evidence: HandedIn, *, beside: bool) -> "_Branch":
        head = journal_head(unit, evidence.device_id, beside=beside)
        seqs = [line.seq for line in evidence.lines] or [0]
        return cls(head, journal_rows(unit, evidence.device_id, seqs[0], seqs[-1] + 1, beside=beside), beside)

    def has(self, line: Line) -> bool:
        return line.seq in self.known and self.known[line.seq].hash == line.hash

    def goes_on_with(self, line: Line) -> bool:
        """A second branch is declared by the device itself, so none begins here."""
        return (line.seq, line.previous) == (self.here.n, self.here.hash) and not (self.beside and self.here.n == 0)

    def keep(self, unit: Unit, row: Uploaded) -> None:
        (keep_beside if self.beside else keep_record)(unit, row)


def _sorted_out(
    branches: Sequence[_Branch], lines: Sequence[Line]
) -> tuple[list[Answer], list[tuple[_Branch, Line]], Trouble | None]:
    """What is here already, what goes on from where a branch ends, and the first line that does neither."""
    answers: list[Answer] = []
    news: list[tuple[_Branch, Line]] = []
    for line in lines:
        if holder := next((branch for branch in branches if branch.has(line)), None):
            row = holder.known[line.seq]
            answers.append(Answer(line.seq, row.id, "known", row.log_index))
        elif branch := next((branch for branch in branches if branch.goes_on_with(line)), None):
            branch.here = Head(line.seq + 1, line.hash)
            news.append((branch, line))
        else:
            return answers, news, _does_not_fit(branches, line)
    return answers, news, None


def _does_not_fit(branches: Sequence[_Branch], line: Line) -> Trouble:
    if line.seq > _next_seq(branches):
        return Trouble(line.seq, "gap", f"record {_next_seq(branches)} is expected next")
    detail = "it goes on from neither branch of the journal that is kept here; keep the disk for whoever looks into it"
    return Trouble(line.seq, "chain_broken", detail)


def _next_seq(branches: Sequence[_Branch]) -> int:
    return max(branch.here.n for branch in branches)


def _dispute(unit: Unit, device: DeviceState, news: Sequence[Line], head: SignedHead, by: str) -> dict[str, int]:
    """Say in the station's history who brought what, and in each cylinder's what it tells; the index for each."""
    station = f"station/{device.station_id}"
    first = news[0].record.model_copy(update={"refs": (station,)})
    brought = f"records {news[0].seq}–{news[-1].seq} of {device.device_id} by {by}, signed {head.signature}"
    whole = raise_dispute(unit, first, station, _KIND, brought, f"handed_in.{head.hash[:16]}")
    indexes: dict[str, int] = {}
    for subject in dict.fromkeys(line.record.subject for line in news):
        kind, _, name = subject.partition("/")
        if kind != "cylinder" or unit.cylinder(name) is None:
            indexes[subject] = whole.index
            continue
        own = [line for line in news if line.record.subject == subject]
        words = ", ".join(dict.fromkeys(line.record.type for line in own))
        about = own[0].record.model_copy(update={"refs": (station,)})
        said = f"{device.device_id} recorded {words}; handed in after it was cut off"
        indexes[subject] = raise_dispute(unit, about, subject, _KIND, said, f"{_KIND}.{own[0].hash[:16]}").index
    return indexes
