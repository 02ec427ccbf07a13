"""The audit over rows as they lie in a database: a clean ledger passes, every change is found and named."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace import events
from cylinder_trace.audit import Auditor, AuditReport, Fault, StoredEntry, read_vkey
from cylinder_trace.chain import EMPTY, Head, next_head, seal
from cylinder_trace.checkpoint import Checkpoint, sign_checkpoint
from cylinder_trace.events import Event, parse_entry, state_event
from cylinder_trace.merkle import HashesInMemory, leaf_hash, root_hash
from cylinder_trace.subjects import SubjectState, format_state, next_subject_state
from vectors.admission.cases import base_case

KEY = SigningKey("ledger.example/cylinders", bytes(range(32)))
LOG_KEY = read_vkey(format_vkey(KEY.verifying_key))
START = 1_790_000_000_000
GOOD = base_case()
assert GOOD.cylinder is not None
REGISTERED = events.CylinderRegistered(
    stamp=GOOD.cylinder.stamp, owner_id="company-1", registration_no="EXAMPLE-0001", in_service_on="2022-06-01"
)
STATION = events.StationLicensed(company_id="company-1", licence_no="L-1", valid_until="2029-12-31", region="330000")
TOLD: list[tuple[str, Event]] = [
    ("rulebook/cn-default", events.RulebookPublished(rulebook_id="cn-default", version="1", text=GOOD.book_text)),
    ("station/station-1", STATION),
    ("cylinder/cyl_a", REGISTERED),
    ("cylinder/cyl_b", REGISTERED),
    ("cylinder/cyl_a", events.CodeBound(code="CODEA")),
    ("cylinder/cyl_b", events.CodeBound(code="CODEB")),
    ("station/station-1", events.ScaleVerified(scale_id="scale-1", valid_until="2029-12-31")),
    ("cylinder/cyl_b", events.Condemned(body_id="body-1", cause="壁厚不足")),
    ("cylinder/cyl_a", events.SentToInspection(body_id="body-1")),
    ("cylinder/cyl_a", events.Returned(station_id="station-1")),
]
CHECKPOINTS_AT = (0, 4, 8, len(TOLD))


@dataclass(frozen=True)
class Ledger:
    """Rows, checkpoints and read model as a database would hold them."""

    rows: tuple[StoredEntry, ...]
    notes: tuple[str, ...]
    read_model: dict[str, str]

    def audit(self, rows: Sequence[StoredEntry] | None = None, **changed: Any) -> AuditReport:
        auditor = Auditor(changed.get("notes", self.notes), LOG_KEY)
        auditor.check(self.rows if rows is None else rows)
        return auditor.finish(changed.get("read_model", self.read_model))


def row_of(index: int, text: bytes) -> StoredEntry:
    entry = parse_entry(text)
    return StoredEntry(
        index=index,
        id=entry.id,
        subject=entry.subject,
        n=entry.n,
        type=entry.type,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        hash=leaf_hash(text),
        text=text,
    )


def sign(rows: Sequence[StoredEntry], size: int) -> str:
    root = root_hash(size, HashesInMemory([row.hash for row in rows[:size]]))
    return sign_checkpoint(Checkpoint(origin=KEY.name, size=size, root=root), KEY)


def keep(told: Sequence[tuple[str, Event]]) -> Ledger:
    rows: list[StoredEntry] = []
    heads: dict[str, Head] = {}
    states: dict[str, SubjectState] = {}
    for index, (subject, event) in enumerate(told):
        record = state_event(event, id=f"act-{index}", subject=subject, occurred_at=START + index, by="account-1")
        sealed = seal(record, heads.get(subject, EMPTY), START + 1_000 + index)
        heads[subject] = next_head(sealed)
        states[subject] = next_subject_state(states.get(subject), sealed.entry, event)
        rows.append(row_of(index, sealed.text))
    notes = tuple(sign(rows, size) for size in CHECKPOINTS_AT if size <= len(rows))
    return Ledger(tuple(rows), notes, {subject: format_state(state) for subject, state in states.items()})


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return keep(TOLD)


def swapped(rows: Sequence[StoredEntry], row: StoredEntry, at: int | None = None) -> list[StoredEntry]:
    place = row.index if at is None else at
    return [*rows[:place], row, *rows[place + 1 :]]


def names(faults: Sequence[Fault], row: StoredEntry) -> bool:
    """Whether a fault points at the row: its place in the log and its subject."""
    return any(fault.index == row.index and row.subject in (fault.subject, fault.message) for fault in faults)


# --- a clean ledger -----------------------------------------------------------------------------------------


def test_a_clean_ledger_passes(ledger: Ledger) -> None:
    report = ledger.audit()
    assert report.faults == []
    assert report.ok
    assert (report.entries, report.size) == (len(TOLD), len(TOLD))
    assert report.root == root_hash(len(TOLD), HashesInMemory([row.hash for row in ledger.rows])).hex()
    told = report.as_json()
    assert [item["kind"] for item in told.pop("not_excluded")] == ["truncated", "rolled_back", "forked"]
    assert told == {
        "ok": True,
        "entries": len(TOLD),
        "size": len(TOLD),
        "root": report.root,
        "faults": [],
    }


def test_an_empty_ledger_passes() -> None:
    empty = keep([])
    assert empty.audit().ok
    assert Auditor((), LOG_KEY).finish().ok


def test_entries_that_no_checkpoint_covers_yet_are_counted_but_not_vouched_for(ledger: Ledger) -> None:
    report = ledger.audit(notes=ledger.notes[:-1])
    assert report.ok
    assert (report.entries, report.size) == (len(TOLD), 8)


def test_the_rows_may_come_in_portions(ledger: Ledger) -> None:
    auditor = Auditor(ledger.notes, LOG_KEY)
    for row in ledger.rows:
        auditor.check([row])
    assert auditor.finish(ledger.read_model).ok


# --- one byte changed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(TOLD)), ids=[event.type for _subject, event in TOLD])
def test_every_byte_changed_in_a_stored_text_is_found_and_named(ledger: Ledger, index: int) -> None:
    row = ledger.rows[index]
    every = range(len(row.text)) if len(row.text) < 1_000 else range(0, len(row.text), 7)
    for at in every:
        text = bytearray(row.text)
        text[at] ^= 1 << at % 8
        report = ledger.audit(swapped(ledger.rows, row._replace(text=bytes(text))))
        assert names(report.faults, row), at
        assert report.faults[0].kind == "edited"


def test_each_bit_of_a_byte_changed_in_a_text_is_found_and_named(ledger: Ledger) -> None:
    row = ledger.rows[9]
    for at in range(0, len(row.text), 4):
        for bit in range(8):
            text = bytearray(row.text)
            text[at] ^= 1 << bit
            faults = ledger.audit(swapped(ledger.rows, row._replace(text=bytes(text)))).faults
            assert (faults[0].kind, faults[0].index, faults[0].subject) == ("edited", 9, row.subject)


@pytest.mark.parametrize("index", range(len(TOLD)))
def test_every_bit_changed_in_a_stored_hash_is_found_and_named(ledger: Ledger, index: int) -> None:
    row = ledger.rows[index]
    for bit in range(256):
        digest = (int.from_bytes(row.hash) ^ (1 << bit)).to_bytes(32)
        faults = ledger.audit(swapped(ledger.rows, row._replace(hash=digest))).faults
        assert (faults[0].kind, faults[0].index, faults[0].subject) == ("edited", index, row.subject)


@pytest.mark.parametrize("name", ["id", "type"])
@pytest.mark.parametrize("index", range(len(TOLD)))
def test_every_character_changed_in_a_copied_column_is_found_and_named(ledger: Ledger, index: int, name: str) -> None:
    row = ledger.rows[index]
    value: str = getattr(row, name)
    for at, char in enumerate(value):
        changed: dict[str, Any] = {name: f"{value[:at]}{chr(ord(char) ^ 1)}{value[at + 1 :]}"}
        faults = ledger.audit(swapped(ledger.rows, row._replace(**changed))).faults
        assert (faults[0].kind, faults[0].index, faults[0].field) == ("edited", index, name)
        assert faults[0].subject == row.subject


@pytest.mark.parametrize("name", ["n", "occurred_at", "recorded_at"])
@pytest.mark.parametrize("index", range(len(TOLD)))
def test_every_number_changed_in_a_copied_column_is_found_and_named(ledger: Ledger, index: int, name: str) -> None:
    row = ledger.rows[index]
    for bit in range(48):
        changed = row._replace(**{name: getattr(row, name) ^ (1 << bit)})
        faults = ledger.audit(swapped(ledger.rows, changed)).faults
        assert (faults[0].kind, faults[0].index, faults[0].field) == ("edited", index, name)
        assert faults[0].subject == row.subject


@pytest.mark.parametrize("index", range(len(TOLD)))
def test_a_row_moved_to_another_subject_is_found_and_both_are_named(ledger: Ledger, index: int) -> None:
    row = ledger.rows[index]
    for at in range(len(row.subject)):
        other = f"{row.subject[:at]}{chr(ord(row.subject[at]) ^ 1)}{row.subject[at + 1 :]}"
        faults = ledger.audit(swapped(ledger.rows, row._replace(subject=other))).faults
        assert (faults[0].kind, faults[0].index, faults[0].subject) == ("edited", index, other)
        assert row.subject in faults[0].message


@pytest.mark.parametrize("index", range(len(TOLD)))
def test_a_changed_place_in_the_log_is_found_and_named(ledger: Ledger, index: int) -> None:
    row = ledger.rows[index]
    for bit in range(20):
        moved = row._replace(index=index ^ (1 << bit))
        faults = ledger.audit(swapped(ledger.rows, moved, at=index)).faults
        assert faults
        assert any(fault.index == index or f"entry {index} expected" in fault.message for fault in faults)


# --- attacks that keep more than one thing consistent --------------------------------------------------------------


def edited(row: StoredEntry, change: Callable[[dict[str, Any]], None]) -> StoredEntry:
    """The row with its text changed and everything beside it made to fit: hash and columns."""
    fields = json.loads(row.text)
    change(fields)
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return row_of(row.index, text)


def to_company_9(fields: dict[str, Any]) -> None:
    fields["data"]["owner_id"] = "company-9"


def test_an_edit_with_its_hash_recomputed_is_named_by_the_entry_that_follows_it(ledger: Ledger) -> None:
    report = ledger.audit(swapped(ledger.rows, edited(ledger.rows[2], to_company_9)))
    assert ("edited", 2, "cylinder/cyl_a") in {(fault.kind, fault.index, fault.subject) for fault in report.faults}


def test_an_edit_of_a_chains_last_entry_with_its_hash_recomputed_leaves_another_root(ledger: Ledger) -> None:
    def earlier(fields: dict[str, Any]) -> None:
        fields["occurred_at"] -= 1

    report = ledger.audit(swapped(ledger.rows, edited(ledger.rows[9], earlier)))
    assert not report.ok
    assert report.faults[0].kind == "forked"
    assert report.size == 8, "what an older checkpoint covers is still vouched for"


def test_a_whole_chain_rewritten_with_all_its_hashes_leaves_another_root(ledger: Ledger) -> None:
    rows = list(ledger.rows)
    prev = "0" * 64
    for index in (2, 4, 8, 9):

        def relink(fields: dict[str, Any], prev: str = prev) -> None:
            fields["prev"] = prev
            if "owner_id" in fields["data"]:
                to_company_9(fields)

        rows[index] = edited(rows[index], relink)
        prev = rows[index].hash.hex()
    report = ledger.audit(rows)
    assert [fault.kind for fault in report.faults if fault.field == "checkpoint"] == ["forked"]
    assert not report.ok


@pytest.mark.parametrize("index", range(len(TOLD)))
def test_a_deleted_entry_is_found_and_its_place_named(ledger: Ledger, index: int) -> None:
    report = ledger.audit([*ledger.rows[:index], *ledger.rows[index + 1 :]])
    assert not report.ok
    assert report.faults[0].kind == ("truncated" if index == len(TOLD) - 1 else "deleted")
    assert report.faults[0].index == index


@pytest.mark.parametrize("index", range(len(TOLD)))
def test_a_deletion_is_found_although_the_rest_was_numbered_anew(ledger: Ledger, index: int) -> None:
    rest = [*ledger.rows[:index], *ledger.rows[index + 1 :]]
    assert not ledger.audit([row._replace(index=at) for at, row in enumerate(rest)]).ok


@pytest.mark.parametrize("index", range(len(TOLD) + 1))
def test_an_inserted_entry_is_found(ledger: Ledger, index: int) -> None:
    made_up = keep([("cylinder/cyl_z", REGISTERED)]).rows[0]
    rows = [*ledger.rows[:index], made_up._replace(index=index), *ledger.rows[index:]]
    assert not ledger.audit(rows).ok
    assert not ledger.audit([row._replace(index=at) for at, row in enumerate(rows)]).ok


def test_an_entry_stored_twice_is_found(ledger: Ledger) -> None:
    rows = [*ledger.rows, ledger.rows[9]._replace(index=10)]
    report = ledger.audit(rows)
    assert ("inserted", 10) in {(fault.kind, fault.index) for fault in report.faults}


@pytest.mark.parametrize("index", range(len(TOLD) - 1))
def test_reordered_entries_are_found(ledger: Ledger, index: int) -> None:
    rows = list(ledger.rows)
    rows[index], rows[index + 1] = rows[index + 1], rows[index]
    assert not ledger.audit(rows).ok
    assert not ledger.audit([row._replace(index=at) for at, row in enumerate(rows)]).ok


@pytest.mark.parametrize("left", range(len(TOLD)))
def test_a_truncated_log_is_found_by_any_newer_checkpoint(ledger: Ledger, left: int) -> None:
    report = ledger.audit(ledger.rows[:left])
    assert ("truncated", left) in {(fault.kind, fault.index) for fault in report.faults}


def test_entries_recorded_before_their_predecessors_are_found(ledger: Ledger) -> None:
    def earlier(fields: dict[str, Any]) -> None:
        fields["recorded_at"] = START

    report = ledger.audit(swapped(ledger.rows, edited(ledger.rows[9], earlier)))
    assert ("clock_backwards", 9) in {(fault.kind, fault.index) for fault in report.faults}


ODD_TEXTS: list[Callable[[bytes], bytes]] = [
    lambda text: b"",
    lambda text: b"[]",
    lambda text: b"null",
    lambda text: b"{}",
    lambda text: b"\xff\xfe\x00",
    lambda text: text + b" ",
    lambda text: b"[" * 100_000 + b"]" * 100_000,
    lambda text: b'{"a":' * 900 + b"1" + b"}" * 900,
    lambda text: b'{"recorded_at":"1"}',
    lambda text: b'{"recorded_at":[]}',
    lambda text: b'{"recorded_at":1' + b"0" * 5_000 + b"}",
    lambda text: text.replace(b'"recorded_at":1', b'"recorded_at":-1'),
    lambda text: text.replace(b'"recorded_at":1790000001009', b'"recorded_at":null'),
    lambda text: text.replace(b'"n":3', b'"n":3.0'),
    lambda text: text.replace(b'"n":3', b'"n":NaN'),
    lambda text: text.replace(b'"station_id":"station-1"', b'"station_id":1.5'),
    lambda text: text.replace(b'"type":"returned"', b'"type":"forced_fill"'),
    lambda text: text.replace(b'"act-9"', b'"\\ud800"'),
]


@pytest.mark.parametrize("number", range(len(ODD_TEXTS)))
@pytest.mark.parametrize("recomputed", [False, True], ids=["hash left", "hash recomputed"])
def test_whatever_stands_in_a_row_is_named_and_never_crashes_the_audit(
    ledger: Ledger, number: int, recomputed: bool
) -> None:
    row = ledger.rows[9]
    text = ODD_TEXTS[number](row.text)
    assert text != row.text
    digest = sha256(b"\x00" + text).digest() if recomputed else row.hash
    report = ledger.audit(swapped(ledger.rows, row._replace(text=text, hash=digest)))
    assert names(report.faults, row)


# --- checkpoints ----------------------------------------------------------------------------------------------


def test_a_checkpoint_signed_by_somebody_else_is_found(ledger: Ledger) -> None:
    impostor = SigningKey(KEY.name, bytes(32))
    root = root_hash(8, HashesInMemory([row.hash for row in ledger.rows[:8]]))
    note = sign_checkpoint(Checkpoint(origin=KEY.name, size=8, root=root), impostor)
    report = ledger.audit(notes=[*ledger.notes, note])
    assert [(fault.kind, fault.field) for fault in report.faults] == [("forged_author", "checkpoint")]


def test_a_checkpoint_of_another_log_is_found(ledger: Ledger) -> None:
    root = root_hash(8, HashesInMemory([row.hash for row in ledger.rows[:8]]))
    note = sign_checkpoint(Checkpoint(origin="other.example/log", size=8, root=root), KEY)
    assert [fault.kind for fault in ledger.audit(notes=[note]).faults] == ["forged_author"]


def test_every_byte_changed_in_a_checkpoint_is_found(ledger: Ledger) -> None:
    note = ledger.notes[-1].encode()
    for at in range(len(note)):
        changed = bytearray(note)
        changed[at] ^= 1
        report = ledger.audit(notes=[changed.decode(errors="replace")])
        assert [fault.kind for fault in report.faults] == ["forged_author"], at


@pytest.mark.parametrize("note", ["", "\n\n", "not a note", "a\n1\n\n\u2014 x y\n", "a\nb\nc\n\n\u2014 a b\n"])
def test_what_is_no_checkpoint_at_all_is_found(ledger: Ledger, note: str) -> None:
    assert [fault.kind for fault in ledger.audit(notes=[note]).faults] == ["forged_author"]


def test_two_signed_checkpoints_of_one_size_with_two_roots_are_a_fork(ledger: Ledger) -> None:
    other = sign_checkpoint(Checkpoint(origin=KEY.name, size=8, root=sha256(b"").digest()), KEY)
    report = ledger.audit(notes=[*ledger.notes, other])
    assert [(fault.kind, fault.index) for fault in report.faults] == [("forked", 7)]


def test_a_key_in_its_text_form_is_read_or_refused() -> None:
    assert LOG_KEY.name == KEY.name
    assert LOG_KEY.key_id == KEY.key_id
    vkey = format_vkey(KEY.verifying_key)
    for text in ("", "x", "a+b", vkey.replace("42456925", "42456926"), vkey.replace("ledger", "Ledger"), vkey[:-4]):
        with pytest.raises(ValueError, match=r".+"):
            read_vkey(text)


# --- the read model -------------------------------------------------------------------------------------------


def test_every_byte_changed_in_a_stored_state_is_found_and_its_subject_named(ledger: Ledger) -> None:
    subject = "cylinder/cyl_b"
    stored = ledger.read_model[subject]
    for at, char in enumerate(stored):
        changed = f"{stored[:at]}{chr(ord(char) ^ 1)}{stored[at + 1 :]}"
        report = ledger.audit(read_model={**ledger.read_model, subject: changed})
        assert [(fault.kind, fault.subject, fault.index) for fault in report.faults] == [("state_mismatch", subject, 7)]


def test_a_condemned_cylinder_taken_out_of_the_read_model_is_missed(ledger: Ledger) -> None:
    rest = {subject: state for subject, state in ledger.read_model.items() if subject != "cylinder/cyl_b"}
    report = ledger.audit(read_model=rest)
    assert [(fault.kind, fault.subject) for fault in report.faults] == [("state_mismatch", "cylinder/cyl_b")]


def test_a_state_that_no_entry_tells_of_is_found(ledger: Ledger) -> None:
    made_up = {**ledger.read_model, "cylinder/cyl_z": ledger.read_model["cylinder/cyl_a"]}
    report = ledger.audit(read_model=made_up)
    assert [(fault.kind, fault.subject) for fault in report.faults] == [("state_mismatch", "cylinder/cyl_z")]
