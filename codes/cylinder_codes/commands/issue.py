"""``cylinder-codes issue``: a range of new codes into the book and a CSV file (批量发码)."""

import argparse
import secrets
from pathlib import Path
from typing import Any

from cylinder_codes.authenticity import TagKey
from cylinder_codes.book.issue_book import IssueBook
from cylinder_codes.book.values import CodeRange, RangeTerms
from cylinder_codes.commands.code_file import holds_codes, write_codes
from cylinder_codes.commands.common import (
    GOOD,
    CannotCheck,
    add_command,
    add_host,
    counted,
    is_or_are,
    line_of_text,
    now_ms,
    positive,
    say,
)
from cylinder_codes.commands.files import require_folder, require_free
from cylinder_codes.commands.issuer import add_issuer_options, open_issuer, open_or_make_issuer
from cylinder_codes.commands.pace import progress
from cylinder_codes.commands.passphrase import Passphrase, read_secret
from cylinder_codes.commands.turn import issuing_alone
from cylinder_codes.pem import read_tag_key
from cylinder_codes.schemes import Scheme


def _issue(options: argparse.Namespace) -> int:
    require_folder(options.out)
    if not (options.book or options.issuer).exists():
        require_free(options.out)  # before anything is made for nothing
    key, book_path = _key_and_book(options)
    terms = _terms(options, key)
    with issuing_alone(book_path) as book:
        if options.out.exists() and (done := _written_before_a_kill(options, book, terms)):
            return _say_done(options, done, done.issued)
        require_free(options.out)
        opened = book.open_range(options.range, terms, now_ms())
        code_range = _issue_all(book, opened, key)
        with progress("written", code_range.issued) as show:
            write_codes(options.out, book.codes_of(code_range), options.host, show)
        book.mark_handed_out(code_range, now_ms())
    return _say_done(options, code_range, opened.issued)


def _key_and_book(options: argparse.Namespace) -> tuple[TagKey, Path]:
    """Return those of --key and --book, and what they leave open from the issuer's folder."""
    key = read_secret(options.key, read_tag_key, Passphrase(options)) if options.key else None
    if key and options.book:
        return key, options.book
    issuer = open_issuer(options) if key else open_or_make_issuer(options)
    return key or issuer.tag_key(), options.book or issuer.book_path


def _terms(options: argparse.Namespace, key: TagKey) -> RangeTerms:
    scheme, prefix = Scheme.OWN, ""
    if options.grai_type is not None:
        scheme, prefix = Scheme.GRAI, options.grai_type
    if options.giai_prefix is not None:
        scheme, prefix = Scheme.GIAI, options.giai_prefix
    terms = RangeTerms.under(key, options.count, options.to or "", scheme, prefix)
    try:
        terms.make(bytes(terms.random_bytes_each), key)  # before a range is opened that no code suits
    except ValueError as error:
        raise CannotCheck(f"argument {'--grai-type' if scheme == Scheme.GRAI else '--giai-prefix'}: {error}") from error
    return terms


def _written_before_a_kill(options: argparse.Namespace, book: IssueBook, terms: RangeTerms) -> CodeRange | None:
    """Return the range whose file is there and whole already, only the book did not come to know of it."""
    for code_range in book.unfinished():
        asked_for = code_range.complete and code_range.terms == terms and options.range in (None, code_range.name)
        if asked_for and holds_codes(options.out, book.codes_of(code_range), options.host):
            book.mark_handed_out(code_range, now_ms())
            return code_range
    return None


def _issue_all(book: IssueBook, code_range: CodeRange, key: TagKey) -> CodeRange:
    with progress("issued", code_range.terms.allotted, code_range.issued) as show:
        while not code_range.complete:
            code_range = book.issue_step(code_range, key, secrets.token_bytes, now_ms())
            show(code_range.issued)
    return code_range


def _say_done(options: argparse.Namespace, code_range: CodeRange, issued_before: int) -> int:
    resumed = f" ({issued_before} of them in an earlier run)" if issued_before else ""
    terms, codes = code_range.terms, f"{counted(code_range.issued, 'code')}{resumed}"
    whose = f"{code_range.name}, {terms.holder_name}"
    say(options, f"{whose}: {codes} {is_or_are(code_range.issued)} in {options.out}",
        range=code_range.name, to=terms.holder, scheme=terms.scheme.value, allotted=terms.allotted,
        issued=code_range.issued, issued_before=issued_before, out=str(options.out))  # fmt: skip
    return GOOD


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "issue", _issue, "issue a range of new codes into the book and a CSV file (批量发码)",
        "Keys and book lie in the issuer's folder (发码室), which is made on first use. After a kill or a power cut the"
        " same command goes on where it was: no code twice, none missing.",
        example="--count 100 --to 'printer A' --out codes.csv",
    )  # fmt: skip
    command.add_argument("--count", type=positive, required=True, help="how many codes")
    command.add_argument("--to", type=line_of_text, metavar="NAME",
                         help="maker or printer the range is allotted to (default: own use)")  # fmt: skip
    command.add_argument("--out", type=Path, required=True, help="CSV file for the codes of this range")
    command.add_argument("--range", type=line_of_text, metavar="NAME",
                         help="name of the range (default: the unfinished one, or the next number)")  # fmt: skip
    scheme = command.add_mutually_exclusive_group()
    scheme.add_argument(
        "--grai-type", metavar="DIGITS", help="make GS1 GRAIs: company prefix and asset type, 12 digits"
    )
    scheme.add_argument("--giai-prefix", metavar="DIGITS", help="make GS1 GIAIs: company prefix, 4 to 12 digits")
    add_issuer_options(command)
    command.add_argument("--key", type=Path, help="file of the tag key (default: the one in the issuer's folder)")
    command.add_argument("--book", type=Path, help="the issue book, made when not there (default: in that folder)")
    add_host(command)
