"""An authority's signature below a rulebook (规则签名): a signed note that names its version and bytes.

    pinglian-rulebook/1
    cn-zhejiang
    2026.1
    6Z0n…=                                          SHA-256 of the file's bytes, base64

    — regulator.example/rules QkVpJ…

The file itself stays plain TOML that people read; the note lies beside it.  One changed byte, a comment's too, needs a
new signature: what people read is what was signed.
"""

from collections.abc import Sequence
from hashlib import sha256

from cylinder_codes.keys import SigningKey, encode_base64
from cylinder_codes.note import NoteError, NoteKey, open_note, sign_note
from cylinder_trace.rulebook import Rulebook, RulebookError, parse_rulebook

HEADER = "pinglian-rulebook/1"


def sign_rulebook(text: str, key: SigningKey) -> str:
    """The note in which the holder of `key` puts the rulebook in `text` into force; raises RulebookError."""
    return sign_note(_statement(text, parse_rulebook(text)), key)


def open_rulebook(text: str, note: str, known: Sequence[NoteKey]) -> tuple[Rulebook, tuple[str, ...]]:
    """The rulebook in `text` and the names of the `known` keys that signed it in `note`; raises RulebookError."""
    book = parse_rulebook(text)
    try:
        opened = open_note(note, known)
    except NoteError as error:
        raise RulebookError(f"the rulebook's signature is not good: {error}") from error
    if opened.text != _statement(text, book):
        raise RulebookError(f"the signature is for another text than this {book.name}: one of them was changed")
    return book, tuple(key.name for key in opened.verified_by)


def _statement(text: str, book: Rulebook) -> str:
    return f"{HEADER}\n{book.rulebook_id}\n{book.version}\n{encode_base64(sha256(text.encode()).digest())}\n"
