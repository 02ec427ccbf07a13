"""The command line ``cylinder-codes``: keys, codes, labels, reading, signed statements, checking a table.

Exit codes: 0 good, 1 checked and bad, 2 could not be checked (wrong argument, missing file, …), with one
sentence on stderr. ``--json`` prints one JSON object on stdout instead of text.
"""

import argparse
import csv
import json
import os
import re
import secrets
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey, tag_is_genuine
from cylinder_codes.book import Batch, BookError, IssueBook
from cylinder_codes.identifiers import DEFAULT_HOST, Code, format_code_human, format_link
from cylinder_codes.importing import RowError, parse_cylinder_table
from cylinder_codes.keys import (
    SEED_BYTES,
    KeyFormatError,
    SigningKey,
    check_key_name,
    format_signer,
    format_tag_key,
    format_vkey,
    parse_signer,
    parse_tag_key,
    parse_vkey,
)
from cylinder_codes.note import NoteError, NoteErrorKind, open_note, sign_note
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.self_test import run_self_test
from cylinder_codes.symbols import LabelsUnavailable, label_png

GOOD, BAD, NOT_CHECKED = 0, 1, 2

Key = TypeVar("Key")

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_HELP_WIDTH = 80
_MOST_CODES = 100_000_000
_PROGRESS_EVERY_SECONDS = 1.0
_SHOWN_ERRORS = 20

_OVERVIEW = """\
examples, in the order of a label printer's day:
  cylinder-codes keygen --kind tag --name works-2025 --out tag.key
  cylinder-codes issue --key tag.key --count 100 --book book.sqlite --out codes.csv
  cylinder-codes label --codes codes.csv --out labels
  cylinder-codes read 'HTTPS://ID.PINGLIAN.EXAMPLE/C/…' --key tag.key
  cylinder-codes sign slip.txt --key signing.key --out slip.note
  cylinder-codes verify slip.note --key signing.key.pub
  cylinder-codes import cylinders.xlsx
  cylinder-codes self-test

exit codes: 0 good · 1 checked and bad · 2 could not be checked
"""


class CannotCheck(Exception):
    """The command could not do its work; the message is one sentence for the user."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (CannotCheck, BookError, LabelsUnavailable) as error:
        sentence = str(error)
    except UnicodeDecodeError:
        sentence = "standard input is not UTF-8 text: give the text as an argument"
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its own end
        return NOT_CHECKED
    except OSError as error:
        sentence = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    except KeyboardInterrupt:
        sentence = "stopped; what was finished is kept, and the same command goes on from there"
    print(f"cylinder-codes {options.name}: {sentence}", file=sys.stderr)
    return NOT_CHECKED


# --- commands -----------------------------------------------------------------------------------------------


def _keygen(options: argparse.Namespace) -> int:
    try:
        check_key_name(options.key_name)
    except KeyFormatError as error:
        raise CannotCheck(f"--name: {error}") from error
    if options.kind == "tag":
        tag_key = TagKey(options.key_name, secrets.token_bytes(TAG_SECRET_BYTES))
        _write_new(options.out, format_tag_key(tag_key), mode=0o600)
        _say(options, f"tag key {tag_key.name} ({tag_key.key_id.hex()}) is in {options.out}; keep it secret",
             name=tag_key.name, key_id=tag_key.key_id.hex(), secret_file=str(options.out))  # fmt: skip
        return GOOD
    signer = SigningKey(options.key_name, secrets.token_bytes(SEED_BYTES))
    public_file = Path(f"{options.out}.pub")
    vkey = format_vkey(signer.verifying_key)
    _require_free(options.out, public_file)
    _write_new(options.out, format_signer(signer), mode=0o600)
    _write_new(public_file, vkey, mode=0o644)
    _say(options, f"signing key in {options.out}, keep it secret; for those who check, {public_file}: {vkey}",
         name=signer.name, key_id=signer.key_id.hex(), secret_file=str(options.out),
         public_file=str(public_file), vkey=vkey)  # fmt: skip
    return GOOD


def _issue(options: argparse.Namespace) -> int:
    key = _read_key(options.key, parse_tag_key)
    if not options.out.parent.is_dir():
        raise CannotCheck(f"{options.out.parent} is not a folder: make it first")
    _require_free(options.out)
    book = IssueBook(str(options.book))
    try:
        batch = book.open_batch(options.batch, options.count, key, _now_ms())
        issued_before = batch.issued
        batch = _issue_all(book, batch, key)
        _write_codes(options.out, book, batch, options.host)
        book.mark_handed_out(batch, _now_ms())  # a kill before this line: the same command says the file is there
    finally:
        book.close()
    resumed = f" ({issued_before} of them in an earlier run)" if issued_before else ""
    _say(options, f"{batch.batch_id}: {batch.issued} codes{resumed} are in {options.out}",
         batch_id=batch.batch_id, asked=batch.asked, issued=batch.issued,
         issued_before=issued_before, out=str(options.out))  # fmt: skip
    return GOOD


def _issue_all(book: IssueBook, batch: Batch, key: TagKey) -> Batch:
    with _progress("issued", batch.asked) as show:
        while not batch.complete:
            batch = book.issue_step(batch, key, secrets.token_bytes, _now_ms())
            show(batch.issued)
    return batch


def _write_codes(out: Path, book: IssueBook, batch: Batch, host: str) -> None:
    unfinished = out.with_name(out.name + ".part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("number", "code", "human_text", "link", "batch_id", "issued_at"))
        for line in book.codes_of(batch.batch_id):
            human_text, link = format_code_human(line.code), format_link(line.code, host).upper()
            table.writerow((line.number, line.code.text, human_text, link, batch.batch_id, line.issued_at))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(out)  # a reader of the CSV never meets half of it


def _label(options: argparse.Namespace) -> int:
    codes = _read_codes(options.codes, options.host)
    if options.out.is_file():
        raise CannotCheck(f"{options.out} is a file, not a folder: name a folder for the pictures")
    options.out.mkdir(parents=True, exist_ok=True)
    with _progress("drawn", len(codes)) as show:
        for count, code in enumerate(codes, start=1):
            picture = label_png(code, host=options.host, level=options.level, module_px=options.module_px)
            (options.out / f"{code.text}.png").write_bytes(picture)
            show(count)
    _say(options, f"{len(codes)} labels are in {options.out}", labels=len(codes), out=str(options.out))
    return GOOD


def _read(options: argparse.Namespace) -> int:
    key = _read_key(options.key, parse_tag_key) if options.key else None
    raw = sys.stdin.read() if options.text is None else options.text
    read = read_scan(raw, options.host or (DEFAULT_HOST,))
    if isinstance(read, ReadFailure):
        _say(options, f"{read.text_en}\n{read.text_zh}", ok=False, **asdict(read))
        return BAD
    facts: dict[str, Any] = {"code": read.text, "human_text": format_code_human(read)}
    if key is None:
        _say(options, f"{read.text} (check digits right; give --key to check the tag)", ok=True, **facts)
        return GOOD
    genuine = tag_is_genuine(read, key)
    verdict = "genuine" if genuine else "NOT genuine: this code was not made with that key"
    _say(options, f"{read.text} {verdict}", ok=genuine, genuine=genuine, **facts)
    return GOOD if genuine else BAD


def _sign(options: argparse.Namespace) -> int:
    key = _read_key(options.key, parse_signer)
    try:
        note = sign_note(_read_text(options.file), key)
    except NoteError as error:
        raise CannotCheck(f"{options.file}: {error}") from error
    if options.out is None and not options.json:
        sys.stdout.write(note)
        return GOOD
    if options.out is not None:
        _write_new(options.out, note, mode=0o644)
    _say(options, f"signed by {key.name}: {options.out}", signed_by=key.name, key_id=key.key_id.hex(),
         out=str(options.out) if options.out else None, note=note)  # fmt: skip
    return GOOD


def _verify(options: argparse.Namespace) -> int:
    known = [_read_key(path, parse_vkey) for path in options.key]
    try:
        opened = open_note(_read_text(options.file), known)
    except NoteError as error:
        kind = NoteErrorKind(error.kind).value
        _say(options, f"{options.file}: NOT verified: {error}", ok=False, kind=kind, message=str(error))
        return BAD
    names = [key.name for key in opened.verified_by]
    _say(options, f"signed by {', '.join(names)}:\n{opened.text}", ok=True, verified_by=names, text=opened.text)
    return GOOD


def _import(options: argparse.Namespace) -> int:
    rows, errors = parse_cylinder_table(options.file.read_bytes(), options.file.name, options.host or (DEFAULT_HOST,))
    if errors and errors[0].row_number == 0:
        raise CannotCheck(f"{options.file}: {errors[0].what}: {errors[0].mend}")
    lines = [f"{len(rows)} good rows, {len(errors)} errors", *map(_error_line, errors[:_SHOWN_ERRORS])]
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"… and {len(errors) - _SHOWN_ERRORS} more (all of them with --json)")
    _say(options, "\n".join(lines), ok=not errors, rows=[asdict(row) for row in rows],
         errors=[asdict(error) for error in errors])  # fmt: skip
    return BAD if errors else GOOD


def _error_line(error: RowError) -> str:
    place = f"row {error.row_number}, {error.column}"
    return f"{place}: {error.what}: {error.mend} / {error.what_zh}，{error.mend_zh}"


def _self_test(options: argparse.Namespace) -> int:
    checks: dict[str, bool] = {}
    for name, held in run_self_test(secrets.token_bytes):
        checks[name] = held
        if not options.json:
            print(f"{'ok  ' if held else 'FAIL'}  {name}")
    good = all(checks.values())
    _say(options, "all checks hold" if good else "do not issue codes on this machine", ok=good, checks=checks)
    return GOOD if good else BAD


# --- files and terminal -------------------------------------------------------------------------------------


def _say(options: argparse.Namespace, text: str, /, **facts: Any) -> None:
    print(json.dumps(facts, ensure_ascii=False) if options.json else text)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")  # not read_text: it would change line ends, and signatures with them
    except UnicodeDecodeError as error:
        raise CannotCheck(f"{path}: not UTF-8 text: save it as UTF-8, or name another file") from error


def _read_key(path: Path, parse: Callable[[str], Key]) -> Key:
    try:
        return parse(_read_text(path))
    except KeyFormatError as error:
        raise CannotCheck(f"{path}: {error}") from error


def _read_codes(path: Path, host: str) -> list[Code]:
    codes = []
    lines = _read_text(path).removeprefix("\ufeff").splitlines()
    header = lines[0].split(",") if lines else []
    column = header.index("code") if "code" in header else 0
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == 1 and "code" in header):
            continue
        read = read_scan((line.split(",") + [""] * column)[column], (host,))
        if isinstance(read, ReadFailure):
            raise CannotCheck(f"{path}, line {number}: {read.text_en}")
        codes.append(read)
    if not codes:
        raise CannotCheck(f"{path}: no code in it: name the CSV file of issue, or a file with one code a line")
    return codes


def _require_free(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise CannotCheck(f"{path} is there already and is not overwritten: name another file")


def _write_new(path: Path, text: str, mode: int) -> None:
    _require_free(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text if text.endswith("\n") else text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink()  # half a file would be in the way of the next try
        raise CannotCheck(f"{path}: {error.strerror}; nothing is left of it") from error


@contextmanager
def _progress(word: str, total: int) -> Iterator[Callable[[int], None]]:
    last = time.monotonic()

    def show(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PROGRESS_EVERY_SECONDS:
            last = time.monotonic()
            print(f"{done:,} of {total:,} {word}", file=sys.stderr, flush=True)

    yield show


# --- arguments ----------------------------------------------------------------------------------------------


class _OneSentenceParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(NOT_CHECKED, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneSentenceParser(
        prog="cylinder-codes",
        description="One bottle, one code (一瓶一码): make, print, read and check the codes of gas cylinders.",
        epilog=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="name")
    for add in (_add_keygen, _add_issue, _add_label, _add_read, _add_sign, _add_verify, _add_import, _add_self_test):
        add(commands)
    return parser


def _add(commands: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str, more: str = "") -> Any:
    command = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(f"{summary}. {more}".strip(), _HELP_WIDTH),
        epilog=_example(name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    command.set_defaults(command=run)
    return command


def _example(name: str) -> str:
    lines = [line for line in _OVERVIEW.splitlines() if line.startswith(f"  cylinder-codes {name}")]
    return "\n".join(["example:", *lines])


def _add_keygen(commands: Any) -> None:
    command = _add(
        commands, "keygen", _keygen, "make a new key",
        "A tag key makes codes and stays with the issuer; a signing key signs statements and gets a public half in"
        " OUT.pub. Files that exist are never overwritten.",
    )  # fmt: skip
    command.add_argument("--kind", choices=("tag", "signing"), required=True, help="what the key is for")
    command.add_argument("--name", dest="key_name", required=True, help="its name, without spaces and '+'")
    command.add_argument("--out", type=Path, required=True, help="file for the secret (made with mode 0600)")


def _add_issue(commands: Any) -> None:
    command = _add(
        commands, "issue", _issue, "issue new codes into a book and a CSV file",
        "After a kill or a power cut the same command goes on where it was: no code twice, none missing.",
    )  # fmt: skip
    command.add_argument("--key", type=Path, required=True, help="file of the tag key (keygen --kind tag)")
    command.add_argument("--count", type=_positive, required=True, help="how many codes")
    command.add_argument("--book", type=Path, required=True, help="the issue book (SQLite); made when not there")
    command.add_argument("--out", type=Path, required=True, help="CSV file for the codes of this batch")
    command.add_argument("--batch", help="name of the batch (default: the unfinished one, or the next number)")
    _add_host(command)


def _add_label(commands: Any) -> None:
    command = _add(commands, "label", _label, "draw a label for every code, as PNG", "Needs cylinder-codes[labels].")
    command.add_argument("--codes", type=Path, required=True, help="CSV file of issue, or one code a line")
    command.add_argument("--out", type=Path, required=True, help="folder for the pictures, <CODE>.png")
    command.add_argument("--level", choices=("L", "M", "Q", "H"), default="M", help="error correction (default M)")
    command.add_argument("--module-px", type=_pixels, default=10, help="pixels a module, 4 to 100 (default 10)")
    _add_host(command)


def _add_read(commands: Any) -> None:
    command = _add(
        commands, "read", _read, "read what a scanner typed",
        "Prints the code, or why there is none (exit 1).",
    )  # fmt: skip
    command.add_argument("text", nargs="?", help="what was typed (default: standard input)")
    command.add_argument("--key", type=Path, help="file of the tag key: check the tag too")
    _add_hosts(command)


def _add_sign(commands: Any) -> None:
    command = _add(
        commands, "sign", _sign, "sign a text file as a signed note",
        "The text stays readable; the signature is a line below it. (The compact statement that fits into a QR"
        " symbol is not made here.)",
    )  # fmt: skip
    command.add_argument("file", type=Path, help="UTF-8 text that ends in a newline and has no other control character")
    command.add_argument("--key", type=Path, required=True, help="file of the signing key (keygen --kind signing)")
    command.add_argument("--out", type=Path, help="file for the signed note (default: standard output)")


def _add_verify(commands: Any) -> None:
    command = _add(commands, "verify", _verify, "check a signed note and print its text")
    command.add_argument("file", type=Path, help="the signed note")
    command.add_argument(
        "--key", type=Path, required=True, action="append", help="file of a public key one trusts (may be repeated)"
    )


def _add_import(commands: Any) -> None:
    command = _add(
        commands, "import", _import, "check a table of cylinders (CSV or XLSX) without importing it",
        "Lists every bad cell with row, column and how to mend it. 检查气瓶表格，逐格列出错误。",
    )  # fmt: skip
    command.add_argument("file", type=Path, help="the table, with headers in Chinese or English")
    _add_hosts(command)


def _add_self_test(commands: Any) -> None:
    _add(commands, "self-test", _self_test, "check this installation against published values")


def _add_host(command: Any) -> None:
    command.add_argument("--host", type=_host, default=DEFAULT_HOST, help=f"host in the link (default {DEFAULT_HOST})")


def _add_hosts(command: Any) -> None:
    command.add_argument(
        "--host",
        type=_host,
        action="append",
        help=f"host whose links carry codes, may be repeated (default {DEFAULT_HOST})",
    )


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a host name such as {DEFAULT_HOST}")
    return text


def _positive(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(_MOST_CODES)) or not 1 <= int(text) <= _MOST_CODES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST_CODES}")
    return int(text)


def _pixels(text: str) -> int:
    if not text.isdecimal() or not 4 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 4 to 100")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
