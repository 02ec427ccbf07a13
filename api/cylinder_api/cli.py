"""The command line ``cylinder-api``: serve the ledger, put data in, let devices and people in, keep data safe.

Exit codes: 0 good, 1 checked and bad, 2 could not do it, with one sentence on stderr that says what to do next.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias
from unicodedata import normalize

from cylinder_api.access import ROLES, SYSTEM_ROLES
from cylinder_api.commands import (
    clients,
    data,
    doctor,
    drill,
    keep,
    lists,
    locking,
    migrate,
    people,
    serve,
    vault,
    webhooks,
)
from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.town import DEFAULT_SEED
from cylinder_api.diagnosis.backups import LONGEST_H
from cylinder_api.folder import DEFAULT_ORIGIN, FolderError
from cylinder_api.refusals import Refused
from cylinder_api.town.plan import DEFAULT_CYLINDERS
from cylinder_codes.command_line import OneSentenceParser
from cylinder_codes.commands.passphrase import add_passphrase_option
from cylinder_codes.keys import KeyFormatError, check_key_name
from cylinder_codes.legacy_forms import LegacyFormError
from cylinder_codes.terminal import escape_what_cannot_be_shown
from cylinder_trace.store.database import StoreError

_OVERVIEW = """\
examples:
  cylinder-api serve --demo --data demo             a town of generated data on http://127.0.0.1:8000
  cylinder-api migrate --data ledger                an empty ledger of your own
  cylinder-api migrate --dry-run --data ledger      what a newer program would do to its tables
  cylinder-api migrate --service-role pinglian_service --data ledger --database-url postgresql://owner@…
  cylinder-api seed --data town --cylinders 1000    a generated town to look at, not served yet
  cylinder-api import cylinders.xlsx --company co_01 --data ledger --bad-rows to_mend.xlsx
  cylinder-api import --list --data ledger
  cylinder-api import --undo IMPORT_ID --cause "columns shifted" --data ledger
  cylinder-api enrol --station st_01 --data ledger  a one-time code for a station's computer
  cylinder-api user add --id li --role regulator --org au_01 --district 3301 --data ledger
  cylinder-api user invite --id wang --role checker --org st_01 --data ledger
  cylinder-api user lock --id wang --data ledger
  cylinder-api user list --data ledger
  cylinder-api user revoke --id li --data ledger
  cylinder-api client add --id dispatch --role delivery --org co_01 --key dispatch.pub --data ledger
  cylinder-api client list --data ledger
  cylinder-api client revoke --id dispatch --data ledger
  cylinder-api client assert --id dispatch --key dispatch.key --audience ledger.pinglian.example/cylinders
  cylinder-api lock-note --key au_01.key --authority au_01 --station st_01 --scale sc_01_3 --cause seal --id L1
  cylinder-api backup --to /backups/today --data ledger
  cylinder-api backup --under /backups --keep 14 --data ledger
  cylinder-api drill --backups /backups --data ledger
  cylinder-api restore --from /backups/today --data restored
  cylinder-api restore --from /backups/today --data restored --database-url postgresql://…
  cylinder-api rebuild-lists --data ledger
  cylinder-api rotate-master-key --data ledger      with every service on it stopped; a killed run goes on
  cylinder-api rotate-master-key --data ledger --to /run/secrets/master.key
  cylinder-api doctor --data ledger

DATABASE_URL (postgresql://…) and REDIS_URL (redis://…) may stand in the environment instead of the options.
MASTER_KEY_FILE names a file with the key that opens the vault, or MASTER_KEY is that key; else the folder has one.
PUBLIC_URL (https://ledger.example) is where the service is reached from outside; machines name it in their assertions.
LINK_HOSTS (ids.example old.example) names the hosts whose links carry our codes, LEGACY_FORMS how numbers from before
look, one a line (province=ZJ{digits:12}).
exit codes: 0 good · 1 checked and bad · 2 could not be done
"""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    escape_what_cannot_be_shown()
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (CannotDo, FolderError, LegacyFormError, StoreError, Refused) as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except KeyboardInterrupt:
        sentence = "stopped; what was recorded stands"
    print(f"cylinder-api: {sentence}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = OneSentenceParser(
        prog="cylinder-api",
        description="The HTTP service over the ledger of gas cylinders (瓶链).",
        epilog=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_data(commands)
    _add_people(commands)
    _add_locks(commands)
    _add_webhooks(commands)
    _add_keep(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(
    commands: Commands, name: str, command: Callable[[argparse.Namespace], int], purpose: str
) -> argparse.ArgumentParser:
    parser = _explained(commands, name, purpose)
    parser.set_defaults(command=command)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data folder")
    parser.add_argument("--database-url", metavar="URL", help="postgresql://…; default: an SQLite file in the folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _explained(commands: Commands, name: str, purpose: str) -> argparse.ArgumentParser:
    about = f"{purpose[0].upper()}{purpose[1:]}."
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(name, help=purpose, description=about, formatter_class=raw)
    examples = (line for line in _OVERVIEW.splitlines() if line.startswith(f"  {parser.prog} "))
    parser.epilog = "\n".join(["example:", *examples])
    return parser


def _add_serve(commands: Commands) -> None:
    parser = _add(commands, "serve", serve.serve, "serve the ledger over HTTP until stopped")
    parser.add_argument("--host", type=_host, default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on (default 8000, 0 = any free one)")
    parser.add_argument("--redis-url", metavar="URL", help="redis://…, to wake other processes at once")
    parser.add_argument(
        "--demo", action="store_true", help="generate a town when the folder is empty; give access to it"
    )
    _add_cylinders(parser)
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")


def _add_cylinders(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("CYLINDERS", str(DEFAULT_CYLINDERS))
    parser.add_argument(
        "--cylinders", type=int, default=default, metavar="N", help=f"size of a generated town (default {default})"
    )


def _add_data(commands: Commands) -> None:
    make = _add(commands, "migrate", migrate.migrate, "make an empty ledger, or move an older one's tables up")
    make.add_argument("--dry-run", action="store_true", help="say what would be done, write nothing")
    about = "give this PostgreSQL role what the service needs, and nothing more (run it as the tables' owner)"
    make.add_argument("--service-role", metavar="NAME", help=about)
    make.add_argument(
        "--origin", type=_origin, default=DEFAULT_ORIGIN, help=f"name of a new log (default {DEFAULT_ORIGIN})"
    )
    seed = _add(commands, "seed", data.seed, "write a generated town into an empty folder")
    _add_cylinders(seed)
    seed.add_argument("--seed", type=int, default=DEFAULT_SEED, metavar="N", help="another seed is another town")
    seed.add_argument("--as-of", metavar="DAY", help="the day the town is made for, YYYY-MM-DD (default today)")
    table = _add(
        commands, "import", data.import_file, "register the cylinders of a CSV or XLSX table, or take that back"
    )
    table.add_argument("file", type=Path, nargs="?", help="the table")
    table.add_argument("--company", type=_id, metavar="ID", help="the owner of all cylinders in it")
    table.add_argument("--dry-run", action="store_true", help="check only, record nothing")
    table.add_argument(
        "--bad-rows", type=_table_file, metavar="FILE", help="write the rows with errors as .xlsx or .csv, to be mended"
    )
    table.add_argument("--list", action="store_true", help="list the imports so far")
    table.add_argument("--undo", type=_id, metavar="IMPORT_ID", help="withdraw what an import registered (撤销导入)")
    table.add_argument("--cause", type=_cause, metavar="TEXT", help="why it is undone, at most 200 characters")


def _add_people(commands: Commands) -> None:
    enrol = _add(commands, "enrol", people.enrol, "print a one-time code for a station's device")
    enrol.add_argument("--station", type=_id, required=True, metavar="ID", help="the station")
    user = _explained(commands, "user", "let people in or out, give or take away tokens").add_subparsers(
        required=True, metavar="ACT"
    )
    add = _add(user, "add", people.add_user, "print a new token for an account")
    _add_whom(add, ROLES, "the account")
    invite = _add(user, "invite", people.invite_user, "print a one-time code for a person who is to sign in")
    _add_whom(invite, tuple(role for role in ROLES if role != "station"), "the person's id, with which they sign in")
    lock = _add(user, "lock", people.lock_user, "let a person in no more, and end what they have open")
    lock.add_argument("--id", type=_id, required=True, help="the person's id")
    revoke = _add(user, "revoke", people.revoke_user, "take every token of an account out of force")
    revoke.add_argument("--id", required=True, help="the account")
    _add(user, "list", people.list_users, "show who has tokens")
    _add_clients(commands)


def _add_clients(commands: Commands) -> None:
    client = _explained(commands, "client", "let systems with keys of their own in or out").add_subparsers(
        required=True, metavar="ACT"
    )
    add = _add(client, "add", clients.add_client, "register a system with the public half of its key")
    _add_whom(add, SYSTEM_ROLES, "the system's id")
    about = "the public key, Ed25519 or P-256, in PEM or as a JSON Web Key"
    add.add_argument("--key", type=Path, required=True, metavar="FILE", help=about)
    add.add_argument("--scope", metavar="WORDS", help="what its tokens may do at most; default: all that the role may")
    _add(client, "list", clients.list_clients, "show the registered systems")
    revoke = _add(client, "revoke", clients.revoke_client, "take a system and all its tokens out of force")
    revoke.add_argument("--id", type=_id, required=True, help="the system's id")
    make = _explained(client, "assert", "print a signed assertion for /oauth/token, to try a key by hand")
    make.set_defaults(command=clients.make_assertion)
    make.add_argument("--id", type=_id, required=True, help="the client: a system's id, or a device id")
    about = "the private key in PEM without a password, or a device's device.key"
    make.add_argument("--key", type=Path, required=True, metavar="FILE", help=about)
    make.add_argument("--audience", required=True, metavar="NAME", help="the log's origin, or the service's PUBLIC_URL")
    make.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def _add_webhooks(commands: Commands) -> None:
    webhook = _explained(commands, "webhook", "see what is told to others, and send it again").add_subparsers(
        required=True, metavar="ACT"
    )
    _add(webhook, "list", webhooks.list_webhooks, "show every webhook and how it is doing")
    told = _add(webhook, "deliveries", webhooks.list_deliveries, "show the newest messages and what came of them")
    told.add_argument("--id", type=_id, required=True, help="the webhook")
    told.add_argument("--state", choices=("waiting", "delivered", "failed"), help="only these")
    again = _add(webhook, "resend", webhooks.resend, "send one message again")
    again.add_argument("--id", type=_id, required=True, help="the webhook")
    again.add_argument("--message", type=_id, required=True, metavar="ID", help="the message, as deliveries shows it")


def _add_whom(parser: argparse.ArgumentParser, roles: Sequence[str], about: str) -> None:
    parser.add_argument("--id", type=_id, required=True, help=about)
    parser.add_argument("--role", required=True, choices=roles)
    parser.add_argument(
        "--org", type=_id, required=True, metavar="ID", help="station, company, body or authority spoken for"
    )
    about = "where an authority acts: the front of an administrative code, 3301; default everywhere"
    parser.add_argument("--district", type=_district, metavar="CODE", help=about)


def _add_keep(commands: Commands) -> None:
    backup = _add(commands, "backup", keep.backup, "take a backup while the service runs, and audit it")
    about = "an empty folder; the backup is the same from SQLite and PostgreSQL, and holds the keys"
    where = backup.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", type=Path, metavar="DIR", help=about)
    where.add_argument(
        "--under", type=Path, metavar="DIR", help="a folder of backups: make one more, named by the moment"
    )
    about = "with --under: remove sound ones beyond the newest N, once this one is sound"
    backup.add_argument("--keep", type=_several, metavar="N", help=about)
    restore = _add(commands, "restore", keep.restore, "fill an empty home, SQLite or PostgreSQL, from a backup")
    restore.add_argument("--from", dest="source", type=Path, required=True, metavar="DIR", help="the backup")
    about = "a checkpoint that a witness or client kept: is the backup older, it is not put back"
    restore.add_argument("--remembered", action="append", default=[], metavar="FILE", help=about)
    _add_drill(commands)
    anew = _add(commands, "rebuild-lists", lists.rebuild_lists, "make lists and figures anew from the ledger")
    anew.add_argument("--resume", action="store_true", help="go on where an interrupted run stopped")
    rotate = _add(commands, "rotate-master-key", vault.rotate_master_key, "exchange the key that opens the vault")
    rotate.add_argument("--to", type=Path, metavar="FILE", help="the new key, kept outside the folder")
    look = _add(commands, "doctor", doctor.doctor, "say what is wrong with an installation and how to mend it")
    look.add_argument("--redis-url", metavar="URL", help="also ask this Redis")
    look.add_argument("--backups", type=Path, metavar="DIR", help="also look how old the newest backup in it is")


def _add_drill(commands: Commands) -> None:
    trial = _explained(commands, "drill", "try the newest backup: restore it into an empty place, audit it, remove it")
    trial.set_defaults(command=drill.drill)
    trial.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data folder whose log it must fit")
    trial.add_argument("--backups", type=Path, required=True, metavar="DIR", help="the folder of backups")
    trial.add_argument(
        "--place", type=Path, metavar="DIR", help="where there is room for it; default: for temporary files"
    )
    about = f"hours; an older one is told with exit code 1 (default {LONGEST_H})"
    trial.add_argument("--max-age", type=_several, default=LONGEST_H, metavar="HOURS", help=about)
    trial.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def _add_locks(commands: Commands) -> None:
    note = _explained(commands, "lock-note", "sign a lock or its lifting offline, as the body of POST /v1/locks")
    note.set_defaults(command=locking.lock_note)
    about = "the authority's signing key, as cylinder-codes keygen writes it"
    note.add_argument("--key", type=Path, required=True, metavar="FILE", help=about)
    add_passphrase_option(note)
    note.add_argument("--authority", type=_id, required=True, metavar="ID", help="the authority; the key has its name")
    note.add_argument("--station", type=_id, required=True, metavar="ID", help="the station")
    place = note.add_mutually_exclusive_group()
    place.add_argument("--scale", type=_id, metavar="ID", help="one scale of it; default: the whole station")
    place.add_argument("--lane", type=int, metavar="N", help="one lane of it")
    note.add_argument("--unlock", action="store_true", help="let filling go on again")
    note.add_argument("--until", metavar="MOMENT", help="end of a lock, such as 2026-12-01T08:00:00+08:00")
    note.add_argument("--cause", required=True, metavar="TEXT", help="why; the station reads it")
    note.add_argument("--id", type=_id, required=True, help="id of the act, and its Idempotency-Key")


def _several(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an id: 1 to 80 of A-Z a-z 0-9 _ . : -")
    return text


def _district(text: str) -> str:
    if not (text.isdecimal() and text.isascii() and 2 <= len(text) <= 12):
        raise argparse.ArgumentTypeError(f"{text!r} is not the front of an administrative code: 2 to 12 digits")
    return text


def _table_file(text: str) -> Path:
    if Path(text).suffix.lower() not in (".xlsx", ".csv"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither .xlsx nor .csv: name the file so")
    return Path(text)


def _cause(text: str) -> str:
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise argparse.ArgumentTypeError("the cause is one line of 1 to 200 characters")
    return normalize("NFC", text)


def _origin(text: str) -> str:
    try:
        check_key_name(text)
    except KeyFormatError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot name a log: {error}") from error
    return text


def _host(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("empty: write 127.0.0.1, or 0.0.0.0 to be reached from elsewhere")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
