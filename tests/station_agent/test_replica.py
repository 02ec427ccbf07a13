"""The replica: signed, whole, brought up to date in one step, and thrown away when it is not what was written."""

import json
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from cylinder_codes.keys import SigningKey, encode_base64
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import parse_day, start_of_day_ms
from station_agent.replica import Replica, ReplicaAnswer, ReplicaDamaged, ReplicaRefused, open_answer
from stations.bench import DEVICE_KEY, LOG_KEY, replica_text
from vectors.admission.cases import base_case

CASE = base_case()
CYLINDER = cast(CylinderState, CASE.cylinder)
CODE, STATION = CYLINDER.codes[0], CASE.request.station_id


def _answer(*cylinders: Any, **fields: Any) -> ReplicaAnswer:
    return open_answer(replica_text(CASE, cylinders, **fields), STATION, LOG_KEY.verifying_key)


def _open(file: Path) -> Replica:
    return Replica(file, STATION, DEVICE_KEY.seed)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "replica.db"


@pytest.fixture
def replica(file: Path) -> Iterator[Replica]:
    replica = _open(file)
    replica.take(_answer(CYLINDER))
    yield replica
    replica.close()


def test_what_was_taken_is_known_also_after_a_restart(replica: Replica, file: Path) -> None:
    replica.confirm(12, CASE.now + 5_000)
    replica.keep({"server_at": 1})
    again = _open(file)
    assert again.find(CODE) == CYLINDER
    assert again.cylinder(CYLINDER.cylinder_id) == CYLINDER
    assert again.known
    assert (again.known.version, again.known.as_of, again.known.books[0].name) == (12, CASE.now + 5_000, CASE.book.name)
    assert again.reference() == {"server_at": 1}
    assert not again.was_damaged
    again.close()


def test_a_version_to_come_is_known_also_after_a_restart_and_a_broken_one_is_refused(
    replica: Replica, file: Path
) -> None:
    later = CASE.book_text.replace('version = "2026.1"', 'version = "2027.1"').replace("2026-01-01", "2027-01-01", 1)
    replica.take(_answer(since=10, version=11, rulebooks_to_come=[later]))
    again = _open(file)
    for known in (replica.known, again.known):
        assert known
        begins = start_of_day_ms(parse_day("2027-01-01"))
        assert [known.book_at(at).version for at in (begins - 1, begins)] == ["2026.1", "2027.1"]
    again.close()
    with pytest.raises(ReplicaRefused):
        replica.take(_answer(since=11, version=12, rulebooks_to_come=["x = 1"]))
    replica.take(_answer(since=11, version=12))
    assert replica.known
    assert len(replica.known.books) == 1, "it was in force by then, or taken back"


def test_a_delta_changes_what_changed_and_removes_what_is_gone(replica: Replica) -> None:
    black = CYLINDER.model_copy(update={"flags": ("black",), "n": 5})
    replica.take(_answer(black, since=10, version=11))
    found = replica.find(CODE)
    assert found
    assert found.flags == ("black",)
    replica.take(_answer(since=11, version=12, gone=[CYLINDER.cylinder_id]))
    assert replica.find(CODE) is None
    assert replica.cylinder_count() == 0


def test_the_stations_gas_lots_are_known_and_a_delta_adds_to_them_also_after_a_restart(
    replica: Replica, file: Path
) -> None:
    def lot(number: int, **fields: Any) -> dict[str, Any]:
        return {"lot_id": f"lot-{number}", "n": 1, "station_id": STATION, "product": "lpg", **fields}

    replica.take(_answer(since=10, version=11, lots=[lot(1), lot(2)]))
    replica.take(_answer(since=11, version=12, lots=[lot(2, standing="released")]))
    again = _open(file)
    for known in (replica.known, again.known):
        assert known
        assert {id: known.standing for id, known in known.lots.items()} == {"lot-1": None, "lot-2": "released"}
    again.close()
    replica.take(_answer(version=13))
    assert replica.known
    assert replica.known.lots == {}, "a whole answer replaces everything"


def test_a_cancelled_code_still_leads_to_its_cylinder(replica: Replica) -> None:
    recoded = CYLINDER.model_copy(update={"codes": ("NEW",), "voided_codes": (CODE,)})
    replica.take(_answer(recoded, since=10, version=11))
    assert replica.find(CODE) == replica.find("NEW") == recoded


@pytest.mark.parametrize("code", ["grai:09520001123450ZJ33010000017", "giai:9520001VLV/1", "stamp:某厂|2019-03|00123"])
def test_a_cylinder_is_found_by_every_name_it_has(replica: Replica, code: str) -> None:
    named = CYLINDER.model_copy(update={"codes": (CODE, code)})
    replica.take(_answer(named, since=10, version=11))
    assert replica.find(code) == replica.find(CODE) == named


def test_a_code_given_back_by_a_withdrawn_cylinder_leads_to_its_new_one_in_either_order(replica: Replica) -> None:
    withdrawn = CYLINDER.model_copy(update={"codes": (), "status": "withdrawn"})
    replica.take(_answer(withdrawn, since=10, version=11))
    assert replica.find(CODE) is None
    right = CYLINDER.model_copy(update={"cylinder_id": "cyl_2"})
    for version, both in ((12, (right, withdrawn)), (13, (withdrawn, right))):
        replica.take(_answer(*both, since=version - 1, version=version))
        assert replica.find(CODE) == right


@pytest.mark.parametrize("fields", [{"since": 9, "version": 11}, {"version": 9}, {"rulebook": "x = 1"}])
def test_an_answer_that_does_not_continue_what_is_known_changes_nothing(
    replica: Replica, fields: dict[str, Any]
) -> None:
    before = replica.known
    with pytest.raises(ReplicaRefused):
        replica.take(_answer(**fields))
    assert replica.known == before
    assert replica.find(CODE) == CYLINDER


def test_an_answer_of_another_signer_or_station_or_changed_on_the_way_is_not_believed() -> None:
    text = replica_text(CASE, (CYLINDER,))
    other = SigningKey("other.example/log", bytes(32))
    for key, station, sent in (
        (other, STATION, text),
        (LOG_KEY, "station-2", text),
        (LOG_KEY, STATION, text.replace(b'"flags":[]', b'"flags":["black"]').replace(b"company-1", b"company-2")),
        (LOG_KEY, STATION, b"[]"),
        (LOG_KEY, STATION, b"<html>"),
    ):
        with pytest.raises(ReplicaRefused):
            open_answer(sent, station, key.verifying_key)


def _many(count: int) -> list[CylinderState]:
    stamp = CYLINDER.stamp.model_copy(update={"maker": "示例制造单位"})
    about = [{"cylinder_id": f"cyl_{number:026d}", "codes": (f"CODE{number}",)} for number in range(count)]
    return [CYLINDER.model_copy(update={**names, "stamp": stamp}) for names in about]


def test_an_answer_of_megabytes_is_taken_whole(file: Path) -> None:
    many, replica = _many(1_500), _open(file)
    names = tuple(f"giai:9520001VLV/{number}" for number in range(20_000))
    many[7] = many[7].model_copy(update={"codes": names})  # longer than what is looked through at once
    assert replica.take(_answer(*many)) == len(many)
    assert replica.cylinder_count() == len(many)
    assert [replica.find(cylinder.codes[0]) for cylinder in many] == many
    replica.close()


def test_an_answer_of_megabytes_is_in_memory_once(file: Path) -> None:
    text, replica = bytearray(replica_text(CASE, tuple(_many(5_000)))), _open(file)
    tracemalloc.start()
    try:
        replica.take(open_answer(text, STATION, LOG_KEY.verifying_key))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    replica.close()
    assert most < len(text), "what is needed beside the answer itself is less than the answer"


def test_a_cylinder_that_cannot_be_read_in_an_answer_changes_nothing(replica: Replica) -> None:
    before, odd = replica.known, {**CYLINDER.model_dump(mode="json", exclude_none=True), "status": "unheard of"}
    text = _delta_with([*_plain_of(_many(3)), odd])
    with pytest.raises(ReplicaRefused, match="cannot be read"):
        replica.take(open_answer(text, STATION, LOG_KEY.verifying_key))
    assert replica.known == before
    assert replica.cylinder_count() == 1
    assert replica.find(CODE) == CYLINDER


def _plain_of(cylinders: list[CylinderState]) -> list[dict[str, Any]]:
    return [cylinder.model_dump(mode="json", exclude_none=True) for cylinder in cylinders]


def _delta_with(cylinders: Any) -> bytes:
    """Signed by the ledger, whatever stands there for its cylinders."""
    answer = {**json.loads(replica_text(CASE, (), since=10, version=11)), "cylinders": cylinders}
    del answer["signature"]
    return canonical_json({**answer, "signature": encode_base64(LOG_KEY.sign(canonical_json(answer)))})


@pytest.mark.parametrize("cylinders", [{}, [[]], [1, 2], [{}, 1], [{"signature": "AAAA", "since": 1}]])
def test_a_list_of_cylinders_that_is_none_is_refused(replica: Replica, cylinders: Any) -> None:
    with pytest.raises(ReplicaRefused):
        replica.take(open_answer(_delta_with(cylinders), STATION, LOG_KEY.verifying_key))
    assert replica.find(CODE) == CYLINDER


def test_a_file_of_noise_is_thrown_away_and_fetched_anew(file: Path) -> None:
    file.write_bytes(b"noise" * 5_000)
    replica = _open(file)
    assert replica.was_damaged
    assert replica.known is None
    replica.take(_answer(CYLINDER))
    assert replica.find(CODE) == CYLINDER
    replica.close()


def test_a_file_that_another_program_holds_is_not_thrown_away(
    replica: Replica, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("station_agent.replica._PATIENCE_S", 0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("begin immediate")
        meanwhile = _open(file)
        assert (meanwhile.known, meanwhile.was_damaged) == (None, False)
        meanwhile.take(_answer(CYLINDER))
        meanwhile.close()
    again = _open(file)
    assert again.find(CODE) == replica.find(CODE) == CYLINDER
    again.close()


def test_whoever_only_looks_waits_for_nobody_and_changes_nothing(replica: Replica, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as agent:
        agent.execute("begin immediate")
        looking = Replica(file, STATION, DEVICE_KEY.seed, looking=True)
        assert looking.known == replica.known
        assert looking.find(CODE) == CYLINDER
        with pytest.raises(ReplicaRefused, match="readonly"):
            looking.keep({"server_at": 1})
        looking.close()


def test_whoever_only_looks_leaves_a_damaged_file_to_the_agent(file: Path) -> None:
    file.write_bytes(b"noise" * 5_000)
    with pytest.raises(ReplicaDamaged, match="not a database"):
        Replica(file, STATION, DEVICE_KEY.seed, looking=True)
    assert file.read_bytes() == b"noise" * 5_000


def test_a_row_changed_behind_our_back_is_not_believed(replica: Replica, file: Path) -> None:
    with sqlite3.connect(file) as other:
        other.execute('update cylinders set text = replace(text, \'"status":"empty"\', \'"status":"filled"\')')
    other.close()
    with pytest.raises(ReplicaDamaged):
        replica.find(CODE)
    replica.forget()
    assert replica.known is None


def test_the_age_of_the_data_only_moves_forward(replica: Replica) -> None:
    replica.confirm(10, CASE.now + 1_000)
    replica.confirm(10, CASE.now - 1_000)
    replica.confirm(9, CASE.now + 9_000)
    assert replica.known
    assert replica.known.as_of == CASE.now + 1_000
