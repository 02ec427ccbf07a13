"""What runs through the whole log: chains, clock, tree and devices, joined from stretches in their order."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

from cylinder_trace.auditing.devices import Devices, End
from cylinder_trace.auditing.hashing import BLOCK, HASH, Frontier, Hashing, leaves_of
from cylinder_trace.auditing.notes import Signed
from cylinder_trace.auditing.references import Span
from cylinder_trace.auditing.stored import Fault, StoredHead
from cylinder_trace.auditing.stretch import (
    NO_PREVIOUS,
    Break,
    DeviceFact,
    Link,
    Stretch,
    chain_fault,
    clock_fault,
    index_break,
)
from cylinder_trace.auditing.tilework import UpperTiles

_BEGIN: Link = (0, NO_PREVIOUS, -1)
_LONGEST_GAP = 10_000


class Joined:
    """The ledger up to here."""

    def __init__(self, origin: str) -> None:
        self._hashing = Hashing(origin)
        self.next_index = self.count = 0
        self.heads: dict[str, Link] = {}
        self.devices = Devices()
        self.references: list[Span] = []
        """Of what was joined since this began or was taken up again."""
        self.tail = b""
        self.faults: list[Fault] = []
        self.edited: set[int] = set()
        self.alike: list[Signed] = []
        """Checkpoints whose root is that of the stored entries."""
        self.unlike: list[Signed] = []
        self._breaks: list[Break] = []
        self._frontier: Frontier = []
        self._older: list[tuple[int, Frontier, list[bytes]]] = []
        self._first_block = 0
        self._blocks: list[bytes] = []
        self._recorded_at = 0
        self._tiles_shifted = False

    @property
    def best(self) -> Signed | None:
        """The newest checkpoint that fits."""
        return max(self.alike, default=None)

    def join(self, stretch: Stretch) -> None:
        """Put `stretch` behind what is here."""
        own, stretch.faults = stretch.faults, []
        if stretch.count and stretch.first != self.next_index:
            subject = next(iter(stretch.begins), "")
            index_break(stretch, subject, self.next_index, stretch.first)
        self._join_chains(stretch)
        self._join_clock(stretch)
        self._join_tree(stretch)
        if self.next_index == self.count and not stretch.breaks:  # behind a gap tiles and entries differ throughout
            self._take_tile_faults(stretch.tile_faults)
        self.faults += sorted(own + stretch.faults, key=lambda fault: fault.index)
        self._breaks += stretch.breaks
        self.edited |= stretch.edited
        self.devices.take(stretch.facts)
        if stretch.references is not None and stretch.count:
            self.references.append(Span(stretch.first, stretch.last + 1, stretch.references))
        self.count += stretch.count
        self.next_index = stretch.last + 1 if stretch.count else self.next_index

    def _join_chains(self, stretch: Stretch) -> None:
        heads, edited = self.heads, self.edited | stretch.edited
        for subject, link in stretch.begins.items():
            end = heads.get(subject, _BEGIN)
            if link[0] != end[0] or link[1] != end[1]:
                chain_fault(stretch, subject, link, end, edited)
        heads.update(stretch.ends)

    def _join_clock(self, stretch: Stretch) -> None:
        if stretch.first_recorded_at is None or stretch.last_recorded_at is None:
            return
        if stretch.first_recorded_at < self._recorded_at:
            clock_fault(stretch, "", stretch.first)
        self._recorded_at = stretch.last_recorded_at

    def _join_tree(self, stretch: Stretch) -> None:
        wanted, start = stretch.remainders, self.count - len(self.tail) // HASH
        self._older = []
        for number in range(len(stretch.blocks) + 1):
            for size, remainder in wanted.items():
                if size // BLOCK == start // BLOCK + number:
                    self._older.append((size, list(self._frontier), remainder))
            if number < len(stretch.blocks):
                self._hashing.grow(self._frontier, stretch.blocks[number])
        self._blocks += stretch.blocks
        self.tail = stretch.tail

    def _take_tile_faults(self, faults: Sequence[Fault]) -> None:
        """Behind a missing or an additional entry all tiles differ: the first place is enough."""
        for fault in faults:
            if not self._tiles_shifted:
                self.faults.append(fault)
            self._tiles_shifted = self._tiles_shifted or fault.kind in ("deleted", "inserted")

    def compare_root(self, signed: Signed) -> None:
        """Compare a checkpoint that ends in what was joined last, unless entries are missing before it."""
        if self.next_index != self.count:
            return
        older = {size: (frontier, remainder) for size, frontier, remainder in self._older}
        frontier, remainder = older.get(signed.size) or self._in_tail(signed.size)
        fits = self._hashing.root(frontier, remainder) == signed.root
        (self.alike if fits else self.unlike).append(signed)

    def _in_tail(self, size: int) -> tuple[Frontier, list[bytes]]:
        return self._frontier, self._hashing.remainder(leaves_of(self.tail)[: size % BLOCK])

    def settled_faults(self) -> list[Fault]:
        """What was found so far; entries that only changed places are called so."""
        moved = {subject for subject, breaks in self._by_subject().items() if _is_order_alone(breaks)}
        return [_as_reordered(fault) if _chain_of(fault) in moved else fault for fault in self.faults]

    def _by_subject(self) -> dict[str, list[Break]]:
        found: dict[str, list[Break]] = defaultdict(list)
        for one in self._breaks:
            found[one.subject].append(one)
        return found

    def upper_tile_faults(self, tiles: Mapping[tuple[int, int], bytes]) -> list[Fault]:
        """Faults of the tiles above level 0; none of them says anything when entries are missing."""
        if self.next_index != self.count or not tiles:
            return []
        return UpperTiles(self._hashing, self._first_block, self._blocks).compare(tiles)

    def head_faults(self, stored: Iterable[StoredHead], *, whole: bool) -> list[Fault]:
        """Where the read model says that chains end, against where they do."""
        faults, missing = [], set(self.heads) if whole else set()
        for head in stored:
            missing.discard(head.subject)
            link = self.heads.get(head.subject)
            if link != (head.n, head.head, head.log_index) or head.kind != head.subject.partition("/")[0]:
                faults.append(self.state_fault(head.subject, "head"))
        return faults + [self.state_fault(subject, "head") for subject in sorted(missing)]

    def state_fault(self, subject: str, field: str = "state") -> Fault:
        """The fault of a subject whose stored state is not what its entries add up to."""
        index = self.heads[subject][2] if subject in self.heads else -1
        message = "the read model differs from what the entries add up to"
        return Fault("state_mismatch", subject, index, field, message)

    def code_fault(self, code: str, cylinder_id: str) -> Fault:
        """The fault of a code that does not lead where the entries say."""
        index = self.heads.get(f"cylinder/{cylinder_id}", _BEGIN)[2]
        message = f"the index of codes and the entries differ about whether {code} leads to {cylinder_id}"
        return Fault("state_mismatch", f"cylinder/{cylinder_id}", index, "code", message)

    def as_json(self) -> dict[str, Any]:
        """All of it, to be taken up again."""
        return {
            "size": self.count,
            "next_index": self.next_index,
            "frontier": [[level, node.hex()] for level, node in self._frontier],
            "tail": base64.b64encode(self.tail).decode(),
            "heads": self.heads,
            "recorded_at": self._recorded_at,
            "faults": [asdict(fault) for fault in self.faults + self.devices.faults],
            "breaks": self._breaks,
            "edited": sorted(self.edited),
            "alike": [[one.size, one.root.hex()] for one in sorted(self.alike)[-1:]],
            "unlike": [[one.size, one.root.hex()] for one in self.unlike],
            "devices": {
                "keys": self.devices.keys,
                "settled": self.devices.settled,
                "forks": self.devices.forks,
                "records": {device_id: [*found.values()] for device_id, found in self.devices.records.items()},
                "heads": [fact for facts in self.devices.heads.values() for fact in facts.values()],
            },
        }

    @classmethod
    def from_json(cls, origin: str, state: Mapping[str, Any]) -> "Joined":
        """What `as_json` gave; raises ValueError if that is not what it is."""
        self = cls(origin)
        try:
            self.count, self.next_index = int(state["size"]), int(state["next_index"])
            self._frontier = [(int(level), bytes.fromhex(node)) for level, node in state["frontier"]]
            self.tail = base64.b64decode(state["tail"])
            self.heads = {subject: _link(*link) for subject, link in state["heads"].items()}
            self._recorded_at = int(state["recorded_at"])
            self.faults = [Fault(**fault) for fault in state["faults"]]
            self._breaks = [Break(*one) for one in state["breaks"]]
            self.edited = {*state["edited"]}
            self.alike = [Signed(size, bytes.fromhex(root)) for size, root in state["alike"]]
            self.unlike = [Signed(size, bytes.fromhex(root)) for size, root in state["unlike"]]
            self.devices = _devices(state["devices"])
            self._first_block = self.count // BLOCK
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("it is not the state of an audit") from error
        return self


def _link(n: int, head: str, at: int) -> Link:
    return n, head, at


def _devices(state: Mapping[str, Any]) -> Devices:
    devices = Devices(keys=dict(state["keys"]))
    devices.settled = {device_id: End(*end) for device_id, end in state["settled"].items()}
    devices.forks = dict(state.get("forks", {}))
    for device_id, records in state["records"].items():
        devices.records[device_id] = {record[0]: tuple(record) for record in records}
        first = devices.settled.get(device_id, End()).seq
        devices.newest[device_id] = max(devices.records[device_id], default=first - 1)
    for fact in map(DeviceFact._make, state["heads"]):
        devices.heads.setdefault(fact.device_id, {})[fact.seq] = fact
    return devices


def _chain_of(fault: Fault) -> str | None:
    """Whose count a fault is about; "" is the log's own."""
    if fault.kind in ("deleted", "inserted"):
        return {"index": "", "n": fault.subject}.get(fault.field)
    return None


def _as_reordered(fault: Fault) -> Fault:
    return replace(fault, kind="reordered", message=f"{fault.message}: all are here, in another order")


def _is_order_alone(breaks: Sequence[Break]) -> bool:
    """Whether every entry that was missed came later: then nothing is gone and nothing was put in."""
    runs = [(0, breaks[0].expected)]
    runs += [(one.found, after.expected) for one, after in pairwise(breaks)]
    runs.append((breaks[-1].found, breaks[-1].found + 1))
    missed = [(one.expected, one.found) for one in breaks if one.found > one.expected]
    if not missed or any(end - start > _LONGEST_GAP for start, end in missed):
        return False
    seen = [set(range(max(0, start), min(end, start + _LONGEST_GAP))) for start, end in runs]
    return all(number in set().union(*seen[1:]) for start, end in missed for number in range(start, end))
