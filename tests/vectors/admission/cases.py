"""The admission vectors (准充判例) as values: every door that decides a fill is asked the same cases.

    from vectors.admission.cases import load_cases

Each file's cases are JSON merge patches (RFC 7396) on ``base.json``; README.md explains the shape.
"""

import json
import re
import tomllib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import cylinder_trace.rulebook
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import FillRequest, StationFacts
from cylinder_trace.rulebook import Rulebook, parse_rulebook

FOLDER = Path(__file__).parent
_SHIPPED = Path(cylinder_trace.rulebook.__file__).parent / "rulebooks"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


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
        read_case(path.stem, base, case, rulebook_text(case["rulebook"]))
        for path in paths
        if not files or path.stem in files
        for case in json.loads(path.read_text("utf-8"))["cases"]
    ]


def base_case() -> Case:
    """The good cylinder at the good station, as it stands in ``base.json``: permitted."""
    base = json.loads((FOLDER / "base.json").read_text("utf-8"))
    case: dict[str, Any] = {"name": "the base case", "rulebook": "cn-default", "now": base["now"]}
    return read_case("base", base, case | {"expect": {"outcome": "ALLOW", "reasons": []}}, rulebook_text("cn-default"))


def readable(case: Case, tag: TagKey, first: int = 1) -> Case:
    """The case with its made-up codes replaced by ones that a scanner could read, numbered from `first`."""
    names: dict[str, str] = {}

    def code(made_up: str) -> str:
        return names.setdefault(made_up, make_code((first + len(names)).to_bytes(10, "big"), tag).text)

    cylinder = case.cylinder
    if cylinder is not None:
        update: dict[str, Any] = {
            name: tuple(map(code, getattr(cylinder, name)))
            for name in ("codes", "voided_codes", "approved_codes", "unapproved_codes")
            if getattr(cylinder, name)
        }
        if cylinder.retags:
            update["retags"] = {id: code(old) for id, old in cylinder.retags.items()}
        cylinder = cylinder.model_copy(update=update)
    asked = case.request.code
    request = case.request.model_copy(update={"code": code(asked) if asked else None})
    return replace(case, cylinder=cylinder, request=request)


@cache
def rulebook_text(name: str) -> str:
    """The TOML of a shipped rulebook, or of one that only these cases use."""
    shipped = _SHIPPED / f"{name}.toml"
    return shipped.read_text("utf-8") if shipped.exists() else _toml(_tables_of(name))


def variants() -> list[str]:
    """The rulebooks that only these cases use."""
    return sorted(path.stem for path in (FOLDER / "rulebooks").glob("*.toml"))


def variant(name: str) -> dict[str, Any]:
    """What a rulebook of these cases says itself: on which one it is based, its title, and its one line."""
    return tomllib.loads((FOLDER / "rulebooks" / f"{name}.toml").read_text("utf-8"))


def _tables_of(name: str) -> dict[str, Any]:
    if name not in variants():
        return tomllib.loads(rulebook_text(name))
    own = variant(name)
    return _merged(_tables_of(own.pop("based_on")), {**own, "rulebook_id": name})


def _toml(tables: dict[str, Any], place: str = "") -> str:
    """TOML of tables of strings, numbers and lists, each of which it writes as JSON does."""
    lines = [f"{key} = {_json(value)}" for key, value in tables.items() if not isinstance(value, dict)]
    inner = [
        f"\n[{place}{_json(key)}]\n{_toml(value, f'{place}{_json(key)}.')}"
        for key, value in tables.items()
        if isinstance(value, dict)
    ]
    return "\n".join([*lines, *inner]) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read_case(file: str, base: dict[str, Any], case: dict[str, Any], book_text: str) -> Case:
    """One case of a file: its patches on `base`, and what is expected."""
    now = _milliseconds(case["now"])
    cylinder = case.get("cylinder", {})
    request = {"requested_at": now, **base["request"]}
    station = {"data_as_of": now, **base["station"]}
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


def _instants_told_in_ms(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _instants_told_in_ms(inner) for key, inner in value.items()}
    return _milliseconds(value) if isinstance(value, str) and _INSTANT.fullmatch(value) else value


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
