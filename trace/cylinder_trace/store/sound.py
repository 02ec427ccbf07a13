"""The full audit of a home or a backup that nobody else writes to, as `cylinder-trace audit` does it, in a process."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cylinder_codes.keys import VerifyingKey, format_vkey
from cylinder_trace.audit import Auditor, AuditReport, LogKey, StoredEntry, StoredRecord, read_vkey
from cylinder_trace.store.audit_reading import AuditSource, DatabaseRows, ServiceRows
from cylinder_trace.store.progress import Tell, silent
from cylinder_trace.store.sources import MirrorSource

_STRETCH = 16_384
"""Entries read at a time: whole tiles."""


def audit_home(
    url: str, data: Path, keys: Iterable[VerifyingKey], remembered: Sequence[str] = (), tell: Tell = silent
) -> AuditReport:
    """Audit the home at `url` with its data folder; `keys` are the log's, `remembered` checkpoints kept elsewhere."""
    source = DatabaseRows(url, data)
    try:
        notes, published = source.checkpoints(), source.published()
        auditor = Auditor(notes, _log_keys(keys), remembered=remembered, published=published)
        _check(auditor, source, tell)
        return auditor.finish(
            source.read_model(0),
            journal=source.journal({}),
            heads=source.heads(0),
            upper_tiles=source.upper_tiles(auditor.joined.count),
        )
    finally:
        source.close()


def audit_copy(
    mirror: Path,
    checkpoints: Sequence[str],
    later: Iterator[StoredEntry],
    journal: Iterator[StoredRecord],
    keys: Iterable[VerifyingKey],
    remembered: Sequence[str] = (),
    tell: Tell = silent,
) -> AuditReport:
    """Audit a mirror, the entries behind it that no checkpoint covers yet, and the devices' journal beside it."""
    source = ServiceRows(MirrorSource(mirror))
    auditor = Auditor(checkpoints, _log_keys(keys), remembered=remembered, published=source.checkpoints())
    _check(auditor, source, tell)
    upper = source.upper_tiles(auditor.joined.count)
    auditor.check(later)
    return auditor.finish(journal=journal, upper_tiles=upper)


def _check(auditor: Auditor, source: AuditSource, tell: Tell) -> None:
    size = source.size()
    for start in range(0, size, _STRETCH):
        end = min(size, start + _STRETCH)
        auditor.check(source.rows(start, end), source.tiles(start, end))
        tell("entries audited 核查", end, size)


def _log_keys(keys: Iterable[VerifyingKey]) -> list[LogKey]:
    return [read_vkey(format_vkey(key)) for key in keys]
