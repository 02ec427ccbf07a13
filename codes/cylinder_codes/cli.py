"""The command line ``cylinder-codes``: keys, codes, labels, reading, signed statements, checking a table.

Exit codes: 0 good, 1 checked and bad, 2 could not be checked (wrong argument, missing file, …), with one
sentence on stderr. ``--json`` prints one JSON object on stdout instead of text.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from cylinder_codes.book.file import BookError
from cylinder_codes.command_line import OneSentenceParser
from cylinder_codes.commands import (
    book,
    importing,
    issue,
    keygen,
    label,
    read,
    scanner,
    self_test,
    sheet,
    sign,
    sign_note,
    trust,
    verify,
    zpl,
)
from cylinder_codes.commands.common import NOT_CHECKED, CannotCheck
from cylinder_codes.photos import PhotosUnavailable
from cylinder_codes.symbols import LabelsUnavailable
from cylinder_codes.terminal import escape_what_cannot_be_shown

_IN_ORDER_OF_USE = (
    issue, book, label, sheet, zpl, read, sign, verify, trust, keygen, sign_note, importing, scanner, self_test,
)  # fmt: skip
_OVERVIEW = """\
examples, in the order of a label printer's day:
  cylinder-codes issue --count 100 --to 'printer A' --out codes.csv
  cylinder-codes label --codes codes.csv --out labels
  cylinder-codes sheet codes.csv --out sheet.pdf
  cylinder-codes zpl codes.csv --out labels.zpl
  cylinder-codes book mark printed --range range-0001 --from 1 --to 100
  cylinder-codes book show
  cylinder-codes read 'HTTPS://ID.PINGLIAN.EXAMPLE/C/…' --key tag.key
  cylinder-codes sign --code 04HM-… --model YSP35.5 --tare 16.5 --max-fill 14.5 --next-due 2030-01
                      --end-of-life 2034-01 --owner company/7 --out slip.png
  cylinder-codes verify slip.png
  cylinder-codes trust revoke 42456925 --from 2026-05-01 --reason 'its laptop was stolen'
  cylinder-codes sign-note slip.txt --key signing.key --out slip.note
  cylinder-codes import cylinders.xlsx
  cylinder-codes scanner sheet --out scanner.pdf
  cylinder-codes self-test

exit codes: 0 good · 1 checked and bad · 2 could not be checked
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    escape_what_cannot_be_shown()
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (CannotCheck, BookError, LabelsUnavailable, PhotosUnavailable) as error:
        sentence = str(error)
    except UnicodeDecodeError:
        sentence = "standard input is not UTF-8 text: give the text as an argument"
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its own end
        return NOT_CHECKED
    except OSError as error:
        sentence = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    except KeyboardInterrupt:
        sentence = "stopped (已停止): start the same command again; issue goes on where it was"
    print(f"cylinder-codes {options.name}: {sentence}", file=sys.stderr)
    return NOT_CHECKED


def _parser() -> argparse.ArgumentParser:
    parser = OneSentenceParser(
        prog="cylinder-codes",
        description="One bottle, one code (一瓶一码): make, print, read and check the codes of gas cylinders.",
        epilog=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="name")
    for module in _IN_ORDER_OF_USE:
        module.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
