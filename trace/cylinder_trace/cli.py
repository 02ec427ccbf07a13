"""The command line of people who check, `cylinder-trace`: audit, verify, proof, witness, rotate-key, keygen, mirror,
rebuild, replay and rulebook.

Exit status: 0 good, 1 checked and bad, 2 could not check.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from cylinder_codes.command_line import OneSentenceParser
from cylinder_codes.terminal import escape_what_cannot_be_shown
from cylinder_trace.commands import auditing, detecting, moving, proving, replaying, rotation, rulebooks, witness
from cylinder_trace.commands.shared import (
    COULD_NOT_CHECK,
    CannotCheck,
)

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
  cylinder-trace rulebook mine.toml                                 is it a rulebook? each mistake by its place
  cylinder-trace rulebook mine.toml --sign authority.key --out mine.toml.sig
  cylinder-trace trial .data mine.toml --since 2026-10-01           what would it have changed, and for whom?
  cylinder-trace detect .data --since 2026-10-01                    what no single entry shows

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


def _parser() -> argparse.ArgumentParser:
    parser = OneSentenceParser(
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
    replay = _command(commands, "replay", replaying.replay, replaying.REPLAY)
    _source_arguments(replay)
    replaying.add_replay(replay)
    rulebooks.add_rulebook(_command(commands, "rulebook", rulebooks.rulebook, rulebooks.RULEBOOK))
    trying = _command(commands, "trial", rulebooks.trial, rulebooks.TRIAL)
    _source_arguments(trying)
    rulebooks.add_trial(trying)
    looking = _command(commands, "detect", detecting.detect, detecting.DETECT)
    _source_arguments(looking)
    detecting.add_detect(looking)
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
