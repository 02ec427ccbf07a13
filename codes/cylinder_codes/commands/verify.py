"""``cylinder-codes verify``: a signed statement, as text, bytes or picture, or a signed note, checked offline."""

import argparse
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cylinder_codes.commands.common import BAD, GOOD, CannotCheck, add_command, now_ms, require_statements, say
from cylinder_codes.commands.files import read_key, read_text
from cylinder_codes.commands.instants import HELP, beijing_month, instant
from cylinder_codes.commands.issuer import DEFAULT_FOLDER, read_trust_list
from cylinder_codes.keys import parse_vkey
from cylinder_codes.note import NoteError, NoteErrorKind, open_note
from cylinder_codes.photos import MAX_BYTES, PhotoFailure, read_symbols
from cylinder_codes.trust import TrustList, format_instant

if TYPE_CHECKING:
    from cylinder_codes.statement import Opened, StatementFailure

_PREFIX = "PL1:"
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_NOTE = re.compile("\n\n\N{EM DASH} ")
_NONE = (
    "no signed statement is in the picture: take the slip's symbol whole and near; a cylinder's label is read by"
    " `cylinder-codes read --photo` (图片中没有签名凭证，请靠近拍全凭证上的码；气瓶标签请用 read --photo 识读)"
)
_SEVERAL = "several statements are in the picture: take one at a time (图片中有多张凭证，请一次只拍一张)"


def _verify(options: argparse.Namespace) -> int:
    if options.key:
        return _verify_note(options)
    require_statements()
    from cylinder_codes.statement import Opened, open_statement

    received = _received(options.what)
    trust = read_trust_list(options.trust, options.root)
    opened = open_statement(received, trust, now_ms() if options.at is None else options.at)
    return _say_good(options, opened, trust) if isinstance(opened, Opened) else _say_bad(options, opened, trust)


def _received(what: str) -> str | bytes:
    if what.startswith(_PREFIX):
        return what
    if what == "-":
        return sys.stdin.read()
    path = Path(what)
    if not path.is_file():
        raise CannotCheck(f"{what[:80]!r} is no file, and the text of a statement begins with {_PREFIX}")
    if path.stat().st_size > MAX_BYTES:
        raise CannotCheck(f"{path}: larger than {MAX_BYTES // 1_000_000} MB, so no statement and no photo of one")
    return _content(path, path.read_bytes())


def _content(path: Path, data: bytes) -> str | bytes:
    if path.suffix.lower() in _PICTURES:
        return _text_in_picture(path, data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        is_picture = path.suffix != ".cbor" and not data.startswith(b"\xd2")  # D2: CBOR tag 18, COSE_Sign1
        return _text_in_picture(path, data) if is_picture else data
    if _NOTE.search(text):
        raise CannotCheck(f"{path}: this is a signed note: name the public key that one trusts with --key")
    return text


def _text_in_picture(path: Path, data: bytes) -> str:
    texts = read_symbols(data)
    if isinstance(texts, PhotoFailure):
        raise CannotCheck(f"{path}: {texts.text_en} ({texts.text_zh})")
    statements = [text for text in texts if text.startswith(_PREFIX)]
    if len(statements) != 1:
        raise CannotCheck(f"{path}: {_SEVERAL if statements else _NONE}")
    return statements[0]


def _say_good(options: argparse.Namespace, opened: "Opened", trust: TrustList) -> int:
    from cylinder_codes.slips import lines_of, past_of

    statement, signer = opened.statement, opened.signed_by
    past = past_of(statement, beijing_month(now_ms() if options.at is None else options.at))
    verdict = ["真实有效：由发证方签名，且在有效期内", "GENUINE: signed by the issuer, and in force", *past.values()]
    claims = asdict(statement) | {"code": statement.code.text}
    signed_by = f"签名密钥 signed by: {signer.name} ({signer.key_id.hex()})"
    say(options, "\n".join([*verdict, *lines_of(statement), signed_by, _words(trust)]),
        ok=True, past=sorted(past), **claims, signed_by=signer.name, key_id=signer.key_id.hex(),
        trust_serial=trust.serial)  # fmt: skip
    return GOOD


def _say_bad(options: argparse.Namespace, failure: "StatementFailure", trust: TrustList) -> int:
    say(options, f"不能采信：{failure.text_zh}\nNOT GOOD: {failure.text_en}\n{_words(trust)}",
        ok=False, **asdict(failure), trust_serial=trust.serial)  # fmt: skip
    return BAD


def _words(trust: TrustList) -> str:
    return f"信任列表 trust list: {trust.serial}, {format_instant(trust.issued_at)}"


def _verify_note(options: argparse.Namespace) -> int:
    known = [read_key(path, parse_vkey) for path in options.key]
    try:
        opened = open_note(read_text(Path(options.what)), known)
    except NoteError as error:
        kind = NoteErrorKind(error.kind).value
        say(options, f"{options.what}: NOT verified: {error}", ok=False, kind=kind, message=str(error))
        return BAD
    names = [key.name for key in opened.verified_by]
    say(options, f"signed by {', '.join(names)}:\n{opened.text}", ok=True, verified_by=names, text=opened.text)
    return GOOD


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "verify", _verify, "check a signed statement, or with --key a signed note",
        "Works offline: the trust list says which keys count, the root's public key that the list is genuine."
        " 离线核验签名凭证。",
        example="slip.png",
    )  # fmt: skip
    command.add_argument("what", metavar="FILE|TEXT", help="picture, .txt, .cbor or note; the text itself; - for stdin")
    command.add_argument("--trust", type=Path, default=DEFAULT_FOLDER / "trust.note", help="the published trust list")
    command.add_argument("--root", type=Path, default=DEFAULT_FOLDER / "root.pub", help="public key of the root")
    command.add_argument("--at", type=instant, help=f"check as of then: {HELP} (default: now)")
    command.add_argument("--key", type=Path, action="append", help="for a note: public key one trusts; may be repeated")
