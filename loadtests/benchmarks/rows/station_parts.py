"""What the rows about the station are made from: generated cylinders, a replica of many, a list of dead codes."""

import json
import os
import random
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from benchmarks.machine import resident_mb
from benchmarks.rows.samples import NOW, cylinder
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_codes.keys import SigningKey, encode_base64, format_vkey
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dead_codes import DeadCodes
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.station import ScaleState, StationState
from station_agent.replica import KnownDead, Replica, ReplicaAnswer, open_answer

STATION, SCALE_ID, WORKER = "station-1", "scale-1", "worker-1"
SEAL = bytes(range(32))
LANES = 8
_PIECE = 65_536
_TAG = TagKey("bench", bytes(32))
_LOG_KEY = SigningKey("ledger.example/bench", bytes(range(32)))


def code_of(number: int) -> str:
    """The code of generated cylinder `number`."""
    return make_code(number.to_bytes(10, "big"), _TAG).text


def link_of(number: int) -> str:
    """What a scanner sends for it."""
    return f"HTTPS://ID.PINGLIAN.EXAMPLE/C/{code_of(number)}\r"


@lru_cache(maxsize=1)
def book_text() -> str:
    """The shipped rulebook."""
    return files("cylinder_trace").joinpath("rulebooks/cn-default.toml").read_text(encoding="utf-8")


def fill_replica(file: Path, cylinders: int) -> None:
    """A replica with so many own cylinders, all in order."""
    replica = Replica(file, STATION, SEAL)
    replica.take(_answer(cylinders))
    replica.keep(None)
    replica.close()


def _answer(cylinders: int) -> ReplicaAnswer:
    book = parse_rulebook(book_text())
    station = StationState(
        station_id=STATION, n=3, company_id="company-1", licence_valid_until="2029-12-31",
        scales={f"scale-{lane}": ScaleState(verified_until="2029-12-31") for lane in range(1, LANES + 1)},
        workers={WORKER: "2029-12-31"},
    )  # fmt: skip
    return ReplicaAnswer.model_construct(
        station_id=STATION, version=10, since=0, as_of=NOW, rulebook=book_text(), rulebook_name=book.name,
        station=station, cylinders=map(_cylinder, range(cylinders)), vkey=format_vkey(_LOG_KEY.verifying_key),
    )  # fmt: skip


def write_answer(file: Path, cylinders: int) -> None:
    """What the service sends at the first fetch, of so many cylinders."""
    answer = _answer(cylinders)
    fields = {
        **answer.model_dump(mode="json", exclude_none=True, exclude={"cylinders"}),
        "cylinders": [item.model_dump(mode="json", exclude_none=True) for item in answer.cylinders],
    }
    signature = encode_base64(_LOG_KEY.sign(canonical_json(fields)))
    file.write_bytes(canonical_json({**fields, "signature": signature}))


def _cylinder(number: int) -> CylinderState:
    return cylinder().model_copy(update={"cylinder_id": f"cyl_{number:026d}", "codes": (code_of(number),)})


def keep_dead_codes(file: Path, codes: int, *, real: bool) -> None:
    """A list of so many dead codes in the replica `file`; not real, its bits are drawn, as dense as a full list's."""
    dead = DeadCodes.for_count(codes)
    if real:
        draw = random.Random(1)
        for _ in range(codes):
            dead.add(draw.randbytes(16))
    else:
        dead = DeadCodes(os.urandom(len(bytes(dead))))
    replica = Replica(file, STATION, SEAL)
    with replica._lock, replica._writing():
        replica._put_dead(KnownDead(1, NOW, dead), is_same=False)
    replica.close()


@dataclass(frozen=True, slots=True)
class Started:
    """What a station's process tells of itself after it has opened its replica."""

    start_s: float
    processor_s: float
    most_memory_mb: float
    wrong: float
    """The share of codes not on the list that it takes for listed ones."""


def start_and_tell(file: Path, asked: int) -> Started:
    """Open the replica as the agent does, and ask its list about codes that are not on it; in a process of its own."""
    from station_agent import agent  # noqa: F401 - what the agent has in memory besides

    wall, processor = time.perf_counter(), time.process_time()
    replica = Replica(file, STATION, SEAL)
    started = time.perf_counter() - wall, time.process_time() - processor
    dead = replica.dead
    listed = sum(dead.codes.may_have(f"not-listed-{number}") for number in range(asked)) if dead else 0
    wrong = listed / max(1, asked)
    return Started(*started, resident_mb(os.getpid()), wrong)


def fetch_and_tell(file: Path, sent: Path) -> Started:
    """Take the answer that lies in the file `sent` as the agent takes it from the line; in a process of its own."""
    from station_agent import agent  # noqa: F401 - what the agent has in memory besides

    wall, processor, text = time.perf_counter(), time.process_time(), bytearray()
    with sent.open("rb") as line:
        while piece := line.read(_PIECE):
            text += piece
    replica = Replica(file, STATION, SEAL)
    replica.take(open_answer(text, STATION, _LOG_KEY.verifying_key))
    return Started(time.perf_counter() - wall, time.process_time() - processor, resident_mb(os.getpid()), 0)


if __name__ == "__main__":
    replica_file, about = Path(sys.argv[1]), sys.argv[2]
    told = start_and_tell(replica_file, int(about)) if about.isdigit() else fetch_and_tell(replica_file, Path(about))
    print(json.dumps([told.start_s, told.processor_s, told.most_memory_mb, told.wrong]))
