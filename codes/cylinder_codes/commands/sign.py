"""``cylinder-codes sign``: a signed statement (签名凭证) about one cylinder, as text, bytes or a slip to print."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cylinder_codes.commands.code_file import read_code
from cylinder_codes.commands.common import GOOD, CannotCheck, add_command, now_ms, require_statements, say, whole_number
from cylinder_codes.commands.files import require_free, write_new
from cylinder_codes.commands.instants import DAY_MS, whole_second
from cylinder_codes.commands.issuer import Issuer, add_issuer_options, open_issuer
from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.typeface import MissingGlyph

if TYPE_CHECKING:
    from cylinder_codes.statement import Statement

_FORMS = (".png", ".txt", ".cbor")
_KILOGRAMS = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,3}))?")
_MOST_DAYS = 3650


def _sign(options: argparse.Namespace) -> int:
    require_statements()
    from cylinder_codes.statement import StatementError, sign_statement, statement_text

    _check_out(options.out)
    issuer = open_issuer(options)
    try:
        statement = _statement(options)
        signed = sign_statement(statement, issuer.signing_key())
    except StatementError as error:
        raise CannotCheck(str(error)) from error
    _require_acceptable(signed, issuer, statement.issued_at)
    text = statement_text(signed)
    if options.out is not None:
        write_new(options.out, _content(options.out.suffix, statement, signed, text), mode=0o644)
    say(options, text if options.out is None else f"signed; the statement is in {options.out} (签名凭证已生成)",
        code=statement.code.text, text=text, bytes=len(signed), issued_at=statement.issued_at,
        expires_at=statement.expires_at, out=str(options.out) if options.out else None)  # fmt: skip
    return GOOD


def _check_out(out: Path | None) -> None:
    if out is None:
        return
    if out.suffix not in _FORMS:
        raise CannotCheck(f"{out}: name a file ending in .png (slip to print), .txt (text) or .cbor (bytes for RFID)")
    require_free(out)


def _statement(options: argparse.Namespace) -> "Statement":
    from cylinder_codes.statement import Statement

    at = whole_second(now_ms())
    return Statement(
        code=read_code(options.code, DEFAULT_HOST, f"--code {options.code!a}"),
        model=options.model, medium=options.medium, tare_g=options.tare, max_fill_g=options.max_fill,
        next_due_month=options.next_due, end_of_life_month=options.end_of_life,
        owner_id=options.owner, issued_at=at, expires_at=at + options.valid_days * DAY_MS,
    )  # fmt: skip


def _require_acceptable(signed: bytes, issuer: Issuer, at: int) -> None:
    """Nobody is handed a statement that everybody will refuse: the key may be revoked, ended or replaced."""
    from cylinder_codes.statement import StatementFailure, open_statement

    opened = open_statement(signed, issuer.trust_list(), at)
    if isinstance(opened, StatementFailure):
        raise CannotCheck(f"nobody would accept it: {opened.text_en}; `cylinder-codes trust rotate` makes a new key")


def _content(suffix: str, statement: "Statement", signed: bytes, text: str) -> bytes:
    if suffix == ".cbor":
        return signed
    if suffix == ".txt":
        return f"{text}\n".encode("ascii")
    from cylinder_codes.slips import slip_png

    try:
        return slip_png(statement, text)
    except MissingGlyph as error:
        raise CannotCheck(f"the slip cannot be drawn: {error}") from error


def _grams(text: str) -> int:
    found = _KILOGRAMS.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a mass in kilograms such as 16.5, to the gram")
    return int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0"))


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "sign", _sign, "sign a statement about a cylinder, for a seal, a slip or an RFID tag",
        "Everybody who has the trust list and the root's public key can check it offline with verify."
        " 为气瓶签发可离线核验的签名凭证。",
        example="--code 04HM-ASW9-NF6Y-ZZPW-1011-YN69-55 --model YSP35.5 --tare 16.5 --max-fill 14.5"
        " --next-due 2030-01 --end-of-life 2034-01 --owner company/7 --out slip.png",
    )  # fmt: skip
    command.add_argument("--code", required=True, help="the cylinder's code, as text or as a scanner sent it")
    command.add_argument("--model", required=True, help="model, such as YSP35.5")
    command.add_argument("--medium", default="lpg", help="what it may hold (default lpg)")
    command.add_argument("--tare", type=_grams, required=True, metavar="KG", help="empty mass in kg, such as 16.5")
    command.add_argument("--max-fill", type=_grams, required=True, metavar="KG", help="maximum fill in kg")
    command.add_argument("--next-due", required=True, metavar="YYYY-MM", help="month of the next inspection")
    command.add_argument("--end-of-life", required=True, metavar="YYYY-MM", help="month in which its life ends")
    command.add_argument("--owner", required=True, help="owner of the cylinder, such as company/7")
    command.add_argument(
        "--valid-days", type=whole_number(1, _MOST_DAYS), default=30, help="how long the statement is good (default 30)"
    )
    command.add_argument("--out", type=Path, help="file ending in .png, .txt or .cbor (default: print the text)")
    add_issuer_options(command)
