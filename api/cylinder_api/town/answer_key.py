"""The answer key (答案表): what to scan, what must come of it, and why; holds no personal data.

`answer-key.json` is one JSON object (UTF-8)::

    schema        "pinglian-answer-key/1"
    generated     true: everything in it is generated
    seed, as_of, cylinders            the plan that made the town
    not_planted   {refusal code: why no scan is planted for it}
    planted       list of planted scans, each with
        kind              "R20 inspection_overdue" or "trick revived_scrap"
        raw_text          what the scanner types, without its lane prefix and without Enter
        code              the code it reads to; absent when it must not be readable
        cylinder_id       the cylinder on file under that code; absent when there is none
        station_id, scale_id, lane, worker_id     where and by whom it is scanned
        findings          finding cards shown before the scan (may be empty)
        empty_gross_g     what stands on the scale, in grams
        expected_reason   the first reason of the refusal
        expected_reasons  all reasons of the refusal, in order; no other may appear
        needs             what the station needs for this scan, in words; absent when nothing special
        prelude           what must happen first; absent when nothing:
            act           "check_elsewhere": the same code is checked at another station, `minutes_before` at most;
                          "fill_here": the same code is scanned and filled at this scale just before
            station_id, scale_id, lane, worker_id, minutes_before
    good          list of scans that must be permitted, each with code, cylinder_id, raw_text, empty_gross_g;
                  at any scale in good order, by any certified filler
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cylinder_trace.decision import Finding

SCHEMA = "pinglian-answer-key/1"
NOT_PLANTED: Mapping[str, str] = {
    "R45": "the town's rulebook sets no limit to residue",
    "R50": "the town has no gas lots",
    "R51": "the town has no gas lots",
    "R64": "the town's rulebook does not ask for a statement about the pre-fill check",
    "R65": "a condition of the station's clock, not of a town",
    "R66": "a condition of the station's data, not of a town",
    "R67": "a condition of the station's journal, not of a town",
    "R68": "the town's rulebook lets any region fill",
}


@dataclass(frozen=True, slots=True)
class Prelude:
    """What must happen just before a planted scan for its trick to work."""

    act: Literal["check_elsewhere", "fill_here"]
    station_id: str
    scale_id: str
    lane: int
    worker_id: str
    minutes_before: int


@dataclass(frozen=True, slots=True)
class PlantedScan:
    """A scan that must be refused; the module explains the fields."""

    kind: str
    raw_text: str
    code: str | None
    cylinder_id: str | None
    station_id: str
    scale_id: str
    lane: int
    worker_id: str
    empty_gross_g: int
    expected_reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    needs: str | None = None
    prelude: Prelude | None = None

    @property
    def expected_reason(self) -> str:
        """The first reason of the refusal."""
        return self.expected_reasons[0]


@dataclass(frozen=True, slots=True)
class GoodScan:
    """A scan that must be permitted, at any scale of the station that is in good order."""

    raw_text: str
    code: str
    cylinder_id: str
    empty_gross_g: int


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """All planted scans and all good ones of the demonstration station."""

    planted: tuple[PlantedScan, ...]
    good: tuple[GoodScan, ...]

    @property
    def expected(self) -> dict[str, int]:
        """Planted kind → how many scans of it there are."""
        return dict(Counter(scan.kind for scan in self.planted))


def write_answer_key(key: AnswerKey, path: Path, *, seed: int, as_of: str, cylinders: int) -> None:
    """Write `answer-key.json`; raises OSError if the file cannot be written."""
    document = {
        "schema": SCHEMA,
        "generated": True,
        "seed": seed,
        "as_of": as_of,
        "cylinders": cylinders,
        "not_planted": dict(NOT_PLANTED),
        "planted": [_planted(scan) for scan in key.planted],
        "good": [asdict(scan) for scan in key.good],
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _planted(scan: PlantedScan) -> dict[str, Any]:
    fields = {**asdict(scan), "expected_reason": scan.expected_reason}
    return {name: value for name, value in fields.items() if value is not None}
