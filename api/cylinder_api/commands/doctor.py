"""``doctor``: what is wrong with an installation, and how to mend it."""

import argparse
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cylinder_api.commands.output import show
from cylinder_api.folder import Keys, open_folder
from cylinder_api.service import system_clock
from cylinder_api.settings import Settings, settings_for
from cylinder_codes.keys import format_vkey
from cylinder_trace.checkpoint import CheckpointError, open_checkpoint
from cylinder_trace.merkle import root_hash
from cylinder_trace.store.database import UNFINISHED, StoreError, open_engine, parse_url, read_meta
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.publishing import ALARMS, publishing_of
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.rights import excess_of, missing_guards
from cylinder_trace.store.witness_client import known_alarms
from cylinder_trace.suite import suite_of_origin
from cylinder_trace.tiles import nodes_from_tiles

_CLOCK_SLACK_MS = 120_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: good, or what is wrong and how to mend it."""

    what: str
    ok: bool
    found: str
    mend: str = ""


def doctor(options: argparse.Namespace) -> int:
    """Look at everything; 1 if something is wrong."""
    settings = settings_for(options.data, options.database_url, options.redis_url)
    parse_url(settings.database_url)
    findings = list(_findings(settings, open_folder(settings.data)))
    ok = all(finding.ok for finding in findings)
    lines = [_line(finding) for finding in findings]
    show(options, {"ok": ok, "findings": [asdict(finding) for finding in findings]}, "\n".join(lines))
    return 0 if ok else 1


def _line(finding: Finding) -> str:
    mend = f"\n         → {finding.mend}" if finding.mend else ""
    return f"{'good ' if finding.ok else 'WRONG'}  {finding.what}: {finding.found}{mend}"


def _findings(settings: Settings, keys: Keys) -> Iterator[Finding]:
    yield from _rights(settings.data)
    yield _redis(settings.redis_url)
    try:
        engine = open_engine(parse_url(settings.database_url), writer=False)
        try:
            reader = Reader(engine, LogFiles(settings.data / "log"), format_vkey(keys.log.verifying_key))
            yield _role(engine)
            yield _guards(engine)
            if unfinished := _unfinished(engine):
                yield unfinished
                return
            for look in _LOOKS:
                yield look(reader, settings, keys)
        finally:
            engine.dispose()
    except (DBAPIError, StoreError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        mend = "start the database; put a damaged one back with: cylinder-api restore; make a new one with: migrate"
        yield Finding("database", False, reason, mend)


def _unfinished(engine: Engine) -> Finding | None:
    with engine.connect() as connection:
        begun = read_meta(connection).get(UNFINISHED)
    mend = "run it again with the same arguments: it goes on from where it was cut off"
    return Finding("database", False, f"unfinished {begun}", mend) if begun else None


def _rights(folder: Path) -> Iterator[Finding]:
    for path in (folder / "keys", *sorted((folder / "keys").iterdir())):
        mode = stat.S_IMODE(path.stat().st_mode)
        found = f"mode {mode:04o}"
        mend = "" if mode & 0o077 == 0 else f"chmod {'700' if path.is_dir() else '600'} {path}"
        yield Finding(f"rights of {path.name}", not mend, found, mend)


def _redis(url: str | None) -> Finding:
    if url is None:
        return Finding("Redis", True, "not used")
    try:
        with Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as redis:
            redis.ping()
    except (RedisError, OSError, ValueError) as error:
        mend = "start it, or correct redis://HOST:PORT; until then everything works, only slower"
        return Finding("Redis", False, type(error).__name__, mend)
    return Finding("Redis", True, "answers")


def _role(engine: Engine) -> Finding:
    if excess := excess_of(engine):
        mend = "make a role for the service, and as the owner: cylinder-api migrate --service-role NAME"
        return Finding("database role", False, excess, mend)
    has_roles = engine.dialect.name == "postgresql"
    found = "can append, and change nothing that was appended" if has_roles else "SQLite has none"
    return Finding("database role", True, found)


def _guards(engine: Engine) -> Finding:
    if missing := missing_guards(engine):
        mend = "audit the ledger: somebody may have changed it; then put the triggers back, see docs/operations.md"
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        return Finding("append-only", False, f"triggers are gone or switched off: {shown}", mend)
    return Finding("append-only", True, "every trigger against a change of what was recorded is there")


def _entries(reader: Reader, settings: Settings, _keys: Keys) -> Finding:
    size = reader.size()
    if reader.state(f"rulebook/{settings.rulebook_id}") is None:
        mend = "publish a rulebook, or seed generated data: without one every check is refused"
        return Finding("database", False, f"{size} entries, no rulebook {settings.rulebook_id}", mend)
    return Finding("database", True, f"{size} entries")


def _clock(reader: Reader, _settings: Settings, _keys: Keys) -> Finding:
    rows = reader.entries(max(0, reader.size() - 1), 1)
    ahead = rows[0].recorded_at - system_clock() if rows else 0
    if ahead > _CLOCK_SLACK_MS:
        return Finding("clock", False, f"{ahead // 1000} s behind the last entry", "set this machine's clock")
    return Finding("clock", True, "not behind the last entry")


def _checkpoint(reader: Reader, settings: Settings, keys: Keys) -> Finding:
    newest = reader.checkpoint()
    if newest is None:
        return Finding("checkpoint", False, "none published", "start the service once; it publishes one")
    size, note = newest
    files = LogFiles(settings.data / "log")
    mend = "do not go on: keep the folder, and compare with a backup and with a witness's checkpoint"
    try:
        signed = open_checkpoint(note, [keys.log.verifying_key])
        suite = suite_of_origin(signed.origin)
        fits = root_hash(size, nodes_from_tiles(size, files.read_tile, suite), suite) == signed.root
    except (CheckpointError, OSError) as error:
        return Finding("checkpoint", False, str(error), mend)
    if not fits or reader.size() < size:
        return Finding("checkpoint", False, "tiles or entries are not the signed ones", mend)
    return Finding("checkpoint", True, f"{size} entries signed, the tiles fit")


def _witnesses(_reader: Reader, settings: Settings, _keys: Keys) -> Finding:
    alarms = known_alarms(settings.data / ALARMS)
    if alarms:
        mend = "compare this log with what the witness has seen; when it is understood, move the file away"
        return Finding("witnesses", False, f"a witness saw a fork of this log: {alarms[0]}", mend)
    try:
        configured = len(publishing_of(settings.data).witnesses)
    except StoreError as error:
        return Finding("witnesses", False, str(error), "until then the service does not start")
    return Finding("witnesses", True, f"{configured} configured, no fork seen")


_LOOKS: tuple[Callable[[Reader, Settings, Keys], Finding], ...] = (_entries, _clock, _checkpoint, _witnesses)
