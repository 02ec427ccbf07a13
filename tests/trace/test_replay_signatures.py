"""`cylinder-trace replay` checks who stands by each decision: a byte of a note or of an input is changed, and is named.

The attacker owns the database and recomputes every hash, chain and tile of it (`ledgers.attacks`).
"""

import json
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace import cli, events
from cylinder_trace.admission import decide_fill
from cylinder_trace.canonical import canonical_json
from cylinder_trace.chain import next_link
from cylinder_trace.decision import FillRequest
from cylinder_trace.decision_note import inputs_hash, sign_decision
from cylinder_trace.events import DeviceLink, FillDecided, parse_event, state_event
from cylinder_trace.rotation import rotate
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.station import facts_for
from cylinder_trace.store.unit import Unit
from ledgers.attacks import DEVICE, Json, recompute
from ledgers.homes import KEY, START, Home, bound, registered

RULEBOOK = (files("cylinder_trace") / "rulebooks" / "cn-default.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with one decision signed by the service and one by a station's device."""
    folder = tmp_path_factory.mktemp("signed") / "data"
    folder.mkdir()
    book = events.RulebookPublished(rulebook_id="cn-default", version="2026.1", text=RULEBOOK)
    enrolled = events.DeviceEnrolled(station_id="st_1", vkey=format_vkey(DEVICE.verifying_key))
    with Home(f"sqlite:///{folder}/ledger.db", folder).open() as ledger:
        ledger.append([registered(number) for number in range(2)] + [bound(number) for number in range(2)])
        ledger.append([_stated(book, "book", "rulebook/cn-default"), _stated(enrolled, "enrol", "device/dev_1")])
        ledger.transact(lambda unit: _decide(unit, "check.service", "CODE0", KEY, None))
        ledger.transact(lambda unit: _decide(unit, "check.station", "CODE1", DEVICE, next_link("dev_1", None)))
    return folder


def _stated(event: events.Event, id: str, subject: str, device: DeviceLink | None = None) -> events.Record:
    return state_event(event, id=id, subject=subject, occurred_at=START, by="account_1", device=device)


def _decide(unit: Unit, check_id: str, code: str, key: SigningKey, device: DeviceLink | None) -> None:
    request = FillRequest(
        check_id=check_id, raw_scan=code, code=code, station_id="st_1", scale_id="sc_1", lane=1, boot_id="boot",
        empty_gross_g=16_500, requested_at=START,
    )  # fmt: skip
    facts, cylinder = facts_for(unit.station("st_1"), request, START, 0), unit.cylinder_by_code(code)
    decision = decide_fill(request, cylinder, facts, parse_rulebook(RULEBOOK), START)
    inputs = inputs_hash(request, facts, decision)
    event = FillDecided(
        request=request, station=facts, decision=decision, decided_by="station" if device else "service",
        inputs_sha256=inputs, note=sign_decision(request, decision, inputs, key),
    )  # fmt: skip
    unit.append(_stated(event, check_id, f"cylinder/{decision.cylinder_id}", device))


def replayed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Json]:
    status = cli.main(["replay", *map(str, arguments), "--json"])
    told: Json = json.loads(capsys.readouterr().out)
    return status, told


def attacked(sound: Path, tmp_path: Path, check_id: str, change: Callable[[Json], None]) -> Path:
    """A copy in which `change` was made to what a decision says, and all else made to fit."""
    folder = tmp_path / "data"
    shutil.copytree(sound, folder)

    def changed(entries: list[Json]) -> list[Json]:
        (entry,) = (entry for entry in entries if entry["id"] == check_id)
        change(entry["data"])
        return entries

    recompute(folder, changed, sign=False)
    return folder


def one_byte_of_the_signature(data: Json) -> None:
    data["note"] = data["note"][:-5] + ("A" if data["note"][-5] != "A" else "B") + data["note"][-4:]


def one_byte_of_what_was_signed(data: Json) -> None:
    data["note"] = data["note"].replace("boot\n", "boos\n")


def one_byte_of_an_input(data: Json) -> None:
    data["request"]["empty_gross_g"] += 1


def an_input_and_its_hash(data: Json) -> None:
    one_byte_of_an_input(data)
    data["inputs_sha256"] = hashed(data)


def a_lost_hash(data: Json) -> None:
    del data["inputs_sha256"]


def signed_by_a_stranger(data: Json) -> None:
    an_input_and_its_hash(data)
    event = FillDecided.model_validate_json(canonical_json(data))
    stranger = SigningKey(KEY.name, bytes(32))
    data["note"] = sign_decision(event.request, event.decision, data["inputs_sha256"], stranger)


def signed_by_the_other_side(data: Json) -> None:
    """The log's owner has the log's key, and signs with it what a station's device is said to have decided."""
    an_input_and_its_hash(data)
    event = FillDecided.model_validate_json(canonical_json(data))
    key = KEY if data["decided_by"] == "station" else DEVICE
    data["note"] = sign_decision(event.request, event.decision, data["inputs_sha256"], key)


def hashed(data: Json) -> str:
    event: Any = parse_event("fill_decided", data)
    return inputs_hash(event.request, event.station, event.decision)


def test_signed_decisions_of_service_and_station_replay(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vkey = format_vkey(KEY.verifying_key)
    for arguments in ([sound], [sound, "--vkey", vkey]):
        status, told = replayed(capsys, *arguments)
        assert (status, told) == (0, {"ok": True, "decisions": 2, "signed": 2, "differences": []})


def test_whose_key_was_believed_is_said(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(sound)]) == 0
    assert "--vkey" in capsys.readouterr().out
    assert cli.main(["replay", str(sound), "--vkey", format_vkey(KEY.verifying_key)]) == 0
    assert "--vkey" not in capsys.readouterr().out


@pytest.mark.parametrize("check_id", ["check.service", "check.station"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (one_byte_of_the_signature, "does not fit"),
        (one_byte_of_what_was_signed, "does not fit"),
        (one_byte_of_an_input, "from other inputs"),
        (an_input_and_its_hash, "another decision"),
        (a_lost_hash, "another decision"),
        (signed_by_a_stranger, "none of the signatures comes from a known key"),
        (signed_by_the_other_side, "none of the signatures comes from a known key"),
    ],
)
def test_a_changed_byte_of_a_note_or_an_input_is_named(
    sound: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_id: str,
    change: Callable[[Json], None],
    named: str,
) -> None:
    status, told = replayed(capsys, attacked(sound, tmp_path, check_id, change))
    assert (status, told["ok"], told["decisions"]) == (1, False, 2)
    (difference,) = told["differences"]
    assert difference["check_id"] == check_id
    assert named in difference["again"]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [("station_id", "st_2", "is of station st_2"), ("vkey", "no key", "no key of device dev_1")],
)
def test_a_device_that_was_enrolled_elsewhere_or_with_no_key_decides_nothing(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, value: str, named: str
) -> None:
    folder = attacked(sound, tmp_path, "enrol", lambda data: data.update({field: value}))
    status, told = replayed(capsys, folder, "--check", "check.station")
    assert (status, [item["check_id"] for item in told["differences"]]) == (1, ["check.station"])
    assert named in told["differences"][0]["again"]


def test_a_device_that_was_cut_off_before_decides_nothing(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sound, folder := tmp_path / "data")
    end = _stated(events.DeviceRevoked(cause="stolen"), "end", "device/dev_1").model_dump(mode="json")
    place = {"n": 0, "prev": "", "recorded_at": START}

    def cut_off(entries: list[Json]) -> list[Json]:
        return [*entries[:-1], {name: value for name, value in (end | place).items() if value is not None}, entries[-1]]

    recompute(folder, cut_off, sign=False)
    status, told = replayed(capsys, folder)
    assert (status, [item["check_id"] for item in told["differences"]]) == (1, ["check.station"])
    assert "no key of device dev_1" in told["differences"][0]["again"]


def test_decisions_signed_before_the_log_s_key_was_rotated_check_with_the_new_key_alone(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sound, folder := tmp_path / "data")
    new = SigningKey(KEY.name, b"n" * 32)
    vkey = format_vkey(new.verifying_key)
    status, told = replayed(capsys, folder, "--vkey", vkey)
    assert (status, [item["check_id"] for item in told["differences"]]) == (1, ["check.service"])
    (folder / "log" / "rotations").write_text(rotate(KEY, new, START), encoding="utf-8")
    assert replayed(capsys, folder, "--vkey", vkey)[0] == 0


def test_without_the_service_s_key_nothing_is_said_about_its_decisions(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "ledger.db"
    shutil.copy(sound / "ledger.db", alone)
    assert cli.main(["replay", str(alone)]) == 2
    assert "--vkey" in capsys.readouterr().err
    assert replayed(capsys, alone, "--check", "check.station")[0] == 0
