"""The ledger: is it published, do its files fit, do the lists follow, what do witnesses say."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Engine, Table, select

from cylinder_api.diagnosis.finding import Finding, good, look, wrong
from cylinder_api.folder import Keys
from cylinder_api.service import system_clock
from cylinder_api.settings import Settings
from cylinder_trace.checkpoint import CheckpointError, open_checkpoint, unverified_checkpoint
from cylinder_trace.cosignature import LogKey
from cylinder_trace.merkle import root_hash
from cylinder_trace.rotation import RotationError, parse_rotations, predecessors
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.fleet.place import read_place
from cylinder_trace.store.publishing import ALARMS, publishing_of
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import FollowedRow
from cylinder_trace.store.vault import VaultError
from cylinder_trace.store.vault_rotation import require_opens
from cylinder_trace.store.witness_client import known_alarms
from cylinder_trace.suite import suite_of_origin
from cylinder_trace.tiles import nodes_from_tiles

_FOLLOWED: Table = FollowedRow.__table__  # type: ignore[attr-defined]
_CLOCK_SLACK_MS = 120_000
_UNPUBLISHED_MS = 60_000
"""A running service publishes within a second."""
_UNFOLDED_MS = 15 * 60_000
_WITNESS_MS = 60 * 60_000
_COMPARE = "do not go on: keep the folder, and compare with a backup and with a witness's checkpoint"


@dataclass(frozen=True, slots=True)
class Opened:
    """What the looks read from."""

    engine: Engine
    reader: Reader
    settings: Settings
    keys: Keys

    @property
    def files(self) -> LogFiles:
        """The public files."""
        return LogFiles(self.settings.data / "log")


def look_at_ledger(here: Opened) -> Iterator[Finding]:
    """Everything about what was recorded."""
    yield entries(here)
    yield clock_behind(here)
    yield checkpoint(here)
    yield published_file(here)
    yield unpublished(here)
    yield lists(here)
    yield epcis(here)
    yield vault(here)
    yield fork_alarm(here)
    yield from witnesses(here)


def entries(here: Opened) -> Finding:
    """How many there are, and whether there is a rulebook to decide by."""
    size, book = here.reader.size(), here.settings.rulebook_id
    if here.reader.state(f"rulebook/{book}") is None:
        mend = "publish a rulebook, or seed generated data: without one every check is refused"
        return wrong("rulebook", f"{size} entries, no rulebook {book}", mend)
    return good("rulebook", f"{book}, among {size} entries")


def clock_behind(here: Opened) -> Finding:
    """The ledger's time never runs backwards: with a clock that is behind, everything bears the same moment."""
    rows = here.reader.entries(max(0, here.reader.size() - 1), 1)
    ahead = rows[0].recorded_at - system_clock() if rows else 0
    if ahead > _CLOCK_SLACK_MS:
        return wrong("clock", f"{ahead // 1000} s behind the last entry", "set this machine's clock")
    return good("clock", "not behind the last entry")


def checkpoint(here: Opened) -> Finding:
    """Whether what was signed is what lies there."""
    newest = here.reader.checkpoint()
    if newest is None:
        return wrong("checkpoint", "none published", "start the service once; it publishes one")
    size, note = newest
    suite = suite_of_origin(here.keys.log.name)
    try:
        signed = open_checkpoint(note, _log_keys(here))
        fits = root_hash(size, nodes_from_tiles(size, here.files.read_tile, suite), suite) == signed.root
    except (CheckpointError, RotationError, OSError, IndexError) as error:
        return wrong("checkpoint", str(error), _COMPARE)
    if not fits or here.reader.size() < size:
        return wrong("checkpoint", "tiles or entries are not the signed ones", _COMPARE)
    return good("checkpoint", f"{size} entries signed, the tiles fit")


def _log_keys(here: Opened) -> list[LogKey]:
    key = here.keys.log.verifying_key
    return [key, *predecessors(key, parse_rotations(here.files.rotations()))]


def published_file(here: Opened) -> Finding:
    """The file that everybody else sees, against the database."""
    what, shown, newest = "published file", here.files.published(), here.reader.checkpoint()
    of_file, of_database = unverified_checkpoint(shown).size if shown else 0, newest[0] if newest else 0
    if of_file > of_database:
        mend = "an old backup of the database was put back: do not start the service; put the newer database back"
        return wrong(what, f"a checkpoint of {of_file} entries, the database knows one of {of_database}", mend)
    if of_file < of_database:
        found = f"{of_file} entries, the database has signed {of_database}"
        return look(what, found, "the service writes it anew; is it running, and is the log folder the one it writes?")
    return good(what, f"log/checkpoint shows {of_file} entries, as the database")


def unpublished(here: Opened) -> Finding:
    """How long entries have waited to be published."""
    size, newest = here.reader.size(), here.reader.newest_published()
    done = newest[0] if newest else 0
    if size == done:
        return good("publishing", "every entry is under a checkpoint")
    waited_ms = system_clock() - here.reader.entries(done, 1)[0].recorded_at
    found = f"{size - done} entries wait, the first for {waited_ms // 1000} s"
    if waited_ms > _UNPUBLISHED_MS:
        mend = (
            "is the service running? It publishes within a second; if it does not, its log says why: publishing halted"
        )
        return wrong("publishing", found, mend)
    return good("publishing", found)


def lists(here: Opened) -> Finding:
    """How far the lists and monthly figures are behind."""
    with here.engine.connect() as connection:
        done = read_place(connection).size
    return _followed(here, "lists", done, "cylinder-api rebuild-lists --resume catches up")


def epcis(here: Opened) -> Finding:
    """How far the EPCIS repository is behind."""
    query = select(_FOLLOWED.c.value).where(_FOLLOWED.c.name == "epcis")
    with here.engine.connect() as connection:
        done = int(connection.scalar(query) or 0)
    return _followed(here, "EPCIS repository", done, "queries say in PingLian-Log-Index to where it is complete")


def _followed(here: Opened, what: str, done: int, mend: str) -> Finding:
    size = here.reader.size()
    if done >= size:
        return good(what, "holds every entry")
    late_ms = system_clock() - here.reader.entries(done, 1)[0].recorded_at
    found = f"{size - done} entries behind, the first recorded {late_ms // 1000} s ago"
    if late_ms > _UNFOLDED_MS:
        return look(what, found, f"is the service running? If it is, its log says why; {mend}")
    return good(what, found)


def vault(here: Opened) -> Finding:
    """Whether the master key opens what was sealed."""
    try:
        require_opens(here.engine, here.keys.master)
    except VaultError:
        mend = "name the right one with MASTER_KEY_FILE or MASTER_KEY, or put keys/master.key back"
        return wrong("master key", "does not open this ledger's vault", mend)
    return good("master key", "opens the vault")


def fork_alarm(here: Opened) -> Finding:
    """What a witness said of another history (分叉报警)."""
    alarms = known_alarms(here.settings.data / ALARMS)
    if alarms:
        mend = "docs/operations.md, 'When the fork alarm rings': stop, compare, restore; move the file away at the end"
        return wrong(
            "fork alarm", f"a witness saw another history of this log: {', '.join(map(str, alarms[:3]))}", mend
        )
    return good("fork alarm", "no witness saw another history")


def witnesses(here: Opened) -> Iterator[Finding]:
    """Whether each configured witness has cosigned of late."""
    try:
        configured = publishing_of(here.settings.data).witnesses
    except StoreError as error:
        yield wrong("witnesses", str(error), "until then the service does not start")
        return
    if not configured:
        mend = "name one of somebody else's in witnesses.policy: without it nobody outside can tell a second history"
        yield look("witnesses", "none configured", mend)
    now = system_clock()
    for witness in configured:
        seen = here.reader.newest_cosigned(f"{witness.key.name}+{witness.key.key_id.hex()}")
        yield _of_witness(f"witness {witness.key.name}", seen, now)


def _of_witness(what: str, seen: tuple[int, int] | None, now: int) -> Finding:
    mend = "does it answer, does it know this log's key? The service's log says what it was told, and asks again"
    if seen is None:
        return wrong(what, "has never cosigned", mend)
    size, published_at = seen
    if now - published_at > _WITNESS_MS:
        return look(what, f"cosigned {size} entries last, published {(now - published_at) // 60_000} min ago", mend)
    return good(what, f"cosigned {size} entries last")
