"""The command line of people who check, `cylinder-trace`: audit, verify, proof, witness, rotate-key, keygen, mirror,
rebuild, replay and rulebook.

Exit status: 0 good, 1 checked and bad, 2 could not check.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, NoReturn

from cylinder_codes.terminal import escape_what_cannot_be_shown
from cylinder_trace.commands import auditing, moving, proving, rotation, witness
from cylinder_trace.commands.shared import (
    BAD,
    COULD_NOT_CHECK,
    GOOD,
    CannotCheck,
    open_source_of,
    read_text,
    say,
)
from cylinder_trace.dates import parse_day, start_of_day_ms
from cylinder_trace.events import Entry
from cylinder_trace.redecide import Retaken, retake_decisions
from cylinder_trace.rulebook import RulebookError, parse_rulebook

_SHOWN_FAULTS = 20

_OVERVIEW = """\
examples:
  cylinder-trace audit .data                                        a data folder
  cylinder-trace audit http://127.0.0.1:8000 --token TOKEN          a running service
  cylinder-trace audit .data --since audited.json                   only what is new, or after a kill
  cylinder-trace verify bundle.json --vkey log/keys
  cylinder-trace verify fill.tlog-proof --policy policy.txt          one entry, with the witnesses it needs
  cylinder-trace verify receipt.json --vkey log/keys                 the promise in the answer to a sale or a check
  cylinder-trace proof .data 4711 --out fill.tlog-proof              the proof of one entry, by index or id
  cylinder-trace proof http://127.0.0.1:8000 receipt.json --out fill.tlog-proof     is the promise kept?
  cylinder-trace witness http://127.0.0.1:8000 --state seen.txt
  cylinder-trace witness serve --listen 127.0.0.1:8100 --key witness.key --log log/keys --state seen
  cylinder-trace rotate-key --key .data/keys/log.key --log .data/log
  cylinder-trace keygen witness.example/w1 --out witness.key         a witness's key
  cylinder-trace mirror http://127.0.0.1:8000 copy --token TOKEN    the log as plain files, then only what is new
  cylinder-trace rebuild copy --to sqlite:///new/ledger.db --data new --key log.key
  cylinder-trace replay .data --since 2026-01-01
  cylinder-trace rulebook mine.toml

exit codes: 0 good · 1 checked and bad · 2 could not be checked
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    escape_what_cannot_be_shown()
    arguments = _parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    try:
        status: int = arguments.run(arguments)
    except CannotCheck as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except KeyboardInterrupt:
        sentence = "stopped; nothing was changed, and nothing is proved"
    else:
        return status
    print(f"cylinder-trace: {sentence}", file=sys.stderr)
    return COULD_NOT_CHECK


def _joined(words: Sequence[str]) -> list[str]:
    """`witness serve` is one command: the plain `witness` takes an address in that place."""
    return ["witness serve", *words[2:]] if list(words[:2]) == ["witness", "serve"] else list(words)


class _OneSentenceParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(COULD_NOT_CHECK, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneSentenceParser(
        prog="cylinder-trace",
        description="Check a cylinder ledger without trusting its owner. 不必信任账本所有者即可核查气瓶账本。",
        epilog=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    auditing.add_audit(_command(commands, "audit", auditing.audit, auditing.AUDIT))
    proving.add_verify(_command(commands, "verify", proving.verify, proving.VERIFY))
    proving.add_proof(_command(commands, "proof", proving.prove, proving.PROVE))
    witness.add_poll(_command(commands, "witness", witness.poll, witness.POLL))
    witness.add_serve(_command(commands, "witness serve", witness.serve, witness.SERVE))
    rotation.add_rotate(_command(commands, "rotate-key", rotation.rotate_key, rotation.ROTATE))
    witness.add_keygen(_command(commands, "keygen", witness.keygen, witness.KEYGEN))
    copying = _command(commands, "mirror", moving.mirror, moving.MIRROR)
    _source_arguments(copying)
    moving.add_mirror(copying)
    moving.add_rebuild(_command(commands, "rebuild", moving.rebuild, moving.REBUILD))
    _replay_parser(commands)
    _rulebook_parser(commands)
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], about: str) -> Any:
    examples = [line for line in _OVERVIEW.splitlines() if line.startswith(f"  cylinder-trace {name}")]
    parser = commands.add_parser(
        name,
        help=about,
        description=about,
        epilog="\n".join(["example:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)
    return parser


def _source_arguments(parser: Any) -> None:
    parser.add_argument("source", help="data folder, ledger.db, postgresql://… or http://… of a service")
    parser.add_argument("--token", help="bearer token of an auditor (only for a service)")


# --- replay -------------------------------------------------------------------------------------------------


def _replay_parser(commands: Any) -> None:
    about = "take stored fill decisions again and report every difference"
    parser = _command(commands, "replay", _replay, about)
    _source_arguments(parser)
    parser.add_argument("--check", metavar="ID", help="only the decision with this check id")
    parser.add_argument("--since", metavar="YYYY-MM-DD", help="only decisions from this day on (Beijing time)")


def _replay(arguments: argparse.Namespace) -> int:
    source = open_source_of(arguments)
    wanted = _wanted(arguments)
    retaken = retake_decisions(lambda: (row.text for row in source.entries()), wanted)
    count, different = 0, []
    try:
        for decision in retaken:
            count += 1
            if not decision.same:
                different.append(decision)
    except ValueError as error:
        message = f"an entry cannot be read; what is wrong says: cylinder-trace audit {arguments.source}"
        raise CannotCheck(message) from error
    if arguments.check and not count:
        raise CannotCheck(
            f"no decision {arguments.check} is there to be taken again; look for its check id, or leave --since out"
        )
    differences = [_difference(item) for item in different]
    told = {"ok": not different, "decisions": count, "differences": differences}
    lines = [f"{count} decisions taken again 已重算, {len(different)} differ"]
    lines += [f"✘ {item['check_id']}: stored {item['stored']}, again {item['again']}" for item in differences]
    say(arguments, told, "\n".join(lines[: _SHOWN_FAULTS + 1]))
    return BAD if different else GOOD


def _wanted(arguments: argparse.Namespace) -> Callable[[Entry], bool]:
    try:
        since = start_of_day_ms(parse_day(arguments.since)) if arguments.since else 0
    except ValueError as error:
        raise CannotCheck(f"--since: {error}") from error
    return lambda entry: entry.occurred_at >= since and arguments.check in (None, entry.id)


def _difference(item: Retaken) -> dict[str, Any]:
    again = [item.again.outcome, *item.again.codes] if item.again else ["not in the ledger"]
    stored = [item.stored.outcome, *item.stored.codes]
    return {"check_id": item.entry.id, "stored": " ".join(stored), "again": " ".join(again)}


# --- rulebook -----------------------------------------------------------------------------------------------


def _rulebook_parser(commands: Any) -> None:
    about = "check a rulebook file and show its numbers; without a file, the one that ships"
    parser = _command(commands, "rulebook", _rulebook, about)
    parser.add_argument("file", nargs="?", help="a rulebook (TOML)")


def _rulebook(arguments: argparse.Namespace) -> int:
    shipped = files("cylinder_trace") / "rulebooks" / "cn-default.toml"
    text = read_text(arguments.file) if arguments.file else shipped.read_text(encoding="utf-8")
    try:
        book = parse_rulebook(text)
    except RulebookError as error:
        say(arguments, {"ok": False, "problem": str(error)}, f"✘ {error}")
        return BAD
    say(arguments, {"ok": True, **book.model_dump()}, f"✔ {book.name} {book.title}\n{text.rstrip()}")
    return GOOD
