"""The admission vectors (准充判例) as values: every door that decides a fill is asked the same cases.

    from vectors.admission.cases import load_cases

Each file's cases are JSON merge patches (RFC 7396) on ``base.json``; README.md explains the shape.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import cylinder_trace.rulebook
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import FillRequest, StationFacts
from cylinder_trace.rulebook import Rulebook, parse_rulebook

FOLDER = Path(__file__).parent
_SHIPPED = Path(cylinder_trace.rulebook.__file__).parent / "rulebooks"
_INSTANTS = {"requested_at", "data_as_of", "status_since", "last_seen_at", "last_filled_at"}


@dataclass(frozen=True)
class Case:
    """One question to ``decide_fill`` and the answer that the regulation gives."""

    file: str
    name: str
    request: FillRequest
    cylinder: CylinderState | None
    station: StationFacts
    book: Rulebook
    book_text: str
    """The rulebook's TOML, for doors into which a rulebook is published."""
    now: int
    """UTC ms."""
    expected_outcome: str
    expected_reasons: tuple[str, ...]
    """In the order in which they are told: what to do with this cylinder first, what a manager mends last."""
    expected_warnings: tuple[str, ...]
    expected_max_net_g: int | None
    """None where the case does not ask for it."""


def load_cases(*files: str) -> list[Case]:
    """All cases, or those of the named files (``"R20"``, ``"masses"``)."""
    base = json.loads((FOLDER / "base.json").read_text("utf-8"))
    paths = sorted(path for path in FOLDER.glob("*.json") if path.stem != "base")
    return [
        _case(path.stem, base, case)
        for path in paths
        if not files or path.stem in files
        for case in json.loads(path.read_text("utf-8"))["cases"]
    ]


def base_case() -> Case:
    """The good cylinder at the good station, as it stands in ``base.json``: permitted."""
    base = json.loads((FOLDER / "base.json").read_text("utf-8"))
    case: dict[str, Any] = {"name": "the base case", "rulebook": "cn-default", "now": base["now"]}
    return _case("base", base, case | {"expect": {"outcome": "ALLOW", "reasons": []}})


def rulebook_text(name: str) -> str:
    """The TOML of a shipped rulebook, or of one that only these cases use."""
    shipped = _SHIPPED / f"{name}.toml"
    return (shipped if shipped.exists() else FOLDER / "rulebooks" / f"{name}.toml").read_text("utf-8")


def _case(file: str, base: dict[str, Any], case: dict[str, Any]) -> Case:
    now = _milliseconds(case["now"])
    cylinder = case.get("cylinder", {})
    request = {"requested_at": now, **base["request"]}
    station = {"data_as_of": now, **base["station"]}
    book_text = rulebook_text(case["rulebook"])
    expect = case["expect"]
    return Case(
        file=file,
        name=case["name"],
        request=FillRequest.model_validate_json(_patched(request, case.get("request", {}))),
        cylinder=None if cylinder is None else CylinderState.model_validate_json(_patched(base["cylinder"], cylinder)),
        station=StationFacts.model_validate_json(_patched(station, case.get("station", {}))),
        book=parse_rulebook(book_text),
        book_text=book_text,
        now=now,
        expected_outcome=expect["outcome"],
        expected_reasons=tuple(expect["reasons"]),
        expected_warnings=tuple(expect.get("warnings", ())),
        expected_max_net_g=expect.get("max_net_g"),
    )


def _patched(base: dict[str, Any], patch: dict[str, Any]) -> str:
    return json.dumps(_instants_told_in_ms(_merged(base, patch)))


def _merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merged(base.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


def _instants_told_in_ms(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _milliseconds(value) if key in _INSTANTS and isinstance(value, str) else value
        for key, value in fields.items()
    }


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
