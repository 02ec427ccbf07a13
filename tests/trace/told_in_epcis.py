"""The stored entry of each event, told in EPCIS."""

import json
from pathlib import Path
from typing import NamedTuple

from cylinder_trace.epcis.life import EpcisEvent, Known, epcis_of
from cylinder_trace.events import parse_entry_and_event

CODE = "https://id.pinglian.example/c/7K2M9QRT4XWZB8NDPVHC3J5E42"
STORED: list[dict[str, str]] = json.loads((Path(__file__).parents[1] / "vectors/entries.json").read_text("utf-8"))[
    "entries"
]


class Row(NamedTuple):
    """An entry's place in the log."""

    index: int  # type: ignore[assignment] # the ledger's word
    hash: bytes
    text: bytes


def told(stored: dict[str, str], index: int = 7, epc: str = CODE) -> tuple[EpcisEvent, ...]:
    """What a stored entry is in EPCIS; of a cylinder that is called `epc`."""
    text = stored["text"].encode()
    entry, event = parse_entry_and_event(text)
    known = Known(epc) if entry.subject.startswith("cylinder/") else None
    return epcis_of(entry, event, Row(index, bytes.fromhex(stored["hash"]), text), known)


TOLD: list[EpcisEvent] = [event for index, stored in enumerate(STORED) for event in told(stored, index)]
