"""What stations did while they were cut off (断网), made ready before the run: whole queues, signed, to send."""

import json
from pathlib import Path
from typing import Any

from benchmarks.outage import Outage, new_device_key, vkey_text
from brief import QueueBrief
from load.levels import QUEUE_AT_ONCE
from load_stations import now_ms
from town_service import Town, enrol_device

_SHORTLY_MS = 1_000


def prepare_queue(
    town: Town, replica: dict[str, Any], records: int, run_id: str, folder: Path, after_s: float
) -> QueueBrief:
    """Let in one more device of the station and have it decide and fill alone until so many records wait."""
    key, station_id = new_device_key(), str(replica["station_id"])
    enrolled = enrol_device(town, station_id, vkey_text(key))
    outage = Outage(replica, enrolled["device_id"], key, ids=f"{run_id}-out")
    outage.go_on(now_ms() - _SHORTLY_MS, cylinders=max(1, records // 3))
    file = folder / f"queue-{outage.device_id}.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for at in range(0, len(outage.records), QUEUE_AT_ONCE):
            lines.write(json.dumps(outage.upload(outage.records[at : at + QUEUE_AT_ONCE]), ensure_ascii=False) + "\n")
    return QueueBrief(station_id, outage.device_id, enrolled["token"], str(file), after_s)
