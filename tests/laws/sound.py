"""Is a ledger whole? Everything that must hold of it, whatever happened before, looked at from outside."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Engine, text

from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, Fault, read_vkey
from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.events import CodeBound, RegistrationWithdrawn, parse_entry
from cylinder_trace.store.audit_reading import DatabaseRows
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.subjects import SubjectState, format_state, next_subject_state
from ledgers.homes import KEY, Home


def audit_faults(home: Home) -> list[Fault]:
    """What `cylinder-trace audit` finds: entries, chains, tiles, checkpoints stored and published, read model."""
    source = DatabaseRows(home.url, home.folder)
    try:
        notes, published = source.checkpoints(), source.published()
        auditor = Auditor(notes, read_vkey(format_vkey(KEY.verifying_key)), published=published)
        end = source.size()
        auditor.check(source.rows(0, end), source.tiles(0, end))
        beside = {"upper_tiles": source.upper_tiles(end), "journal": source.journal({}), "heads": source.heads(0)}
        return auditor.finish(source.read_model(0), **beside).faults  # type: ignore[arg-type]
    finally:
        source.close()


def assert_sound(home: Home, said: str) -> None:
    """The audit finds nothing; `said` goes into the message."""
    faults = audit_faults(home)
    assert not faults, f"{said}: {len(faults)} faults, first {faults[0]}"


def assert_replays(ledger: Ledger, said: str) -> None:
    """States, codes and references are what the entries, told again from the first one, add up to."""
    states: dict[str, SubjectState] = {}
    codes: dict[str, str] = {}
    refs: set[tuple[str, int]] = set()
    for row in ledger.reader.all_entries():
        entry = parse_entry(row.text)
        event = entry.record().event()
        states[entry.subject] = next_subject_state(states.get(entry.subject), entry, event)
        refs |= {(ref, row.index) for ref in entry.refs}
        if isinstance(event, CodeBound):
            codes[event.code] = entry.subject.partition("/")[2]
        elif isinstance(event, RegistrationWithdrawn):
            codes = {code: cylinder for code, cylinder in codes.items() if f"cylinder/{cylinder}" != entry.subject}
    told = {subject: format_state(state) for subject, state in states.items()}
    assert ledger.reader.read_model() == told, f"{said}: the states are not what the entries add up to"
    assert dict(_pairs(ledger.engine, "code, cylinder_id FROM code")) == codes, f"{said}: the codes lead elsewhere"
    assert set(_pairs(ledger.engine, "ref, log_index FROM entry_ref")) == refs, f"{said}: the references are others"


def assert_published(home: Home, ledger: Ledger, said: str) -> None:
    """The newest checkpoint covers everything and is the one that lies in the public folder."""
    newest = ledger.reader.checkpoint()
    assert newest is not None, f"{said}: nothing is published"
    size = ledger.reader.size()
    assert newest[0] == size, f"{said}: {newest[0]} of {size} entries are published"
    shown = open_checkpoint((home.folder / "log" / "checkpoint").read_text(encoding="utf-8"), [KEY.verifying_key])
    assert shown == open_checkpoint(newest[1], [KEY.verifying_key]), f"{said}: the file shows another checkpoint"


def assert_nothing_doubled(ledger: Ledger, said: str) -> None:
    """Indexes go on without a gap, and each id stands there once."""
    rows = list(ledger.reader.all_entries())
    assert [row.index for row in rows] == list(range(len(rows))), f"{said}: the indexes do not go on by one"
    assert len({row.id for row in rows}) == len(rows), f"{said}: an id stands there twice"


def assert_kept(ledger: Ledger, promised: Iterable[str], said: str) -> None:
    """Each line ``id index hash`` of what was acknowledged stands in the log as it was acknowledged."""
    stored = {f"{row.id} {row.index} {row.hash.hex()}" for row in ledger.reader.all_entries()}
    lost = [line for line in promised if line not in stored]
    assert not lost, f"{said}: {len(lost)} acknowledged entries are gone, first {lost[0]}"


def _pairs(engine: Engine, what: str) -> Sequence[tuple[str, Any]]:
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(text(f"SELECT {what}"))]
