"""Self-test (自检): does this installation still compute what was published?

Run by ``cylinder-codes self-test`` on the machine that is to issue codes or check them. Every check compares
with a value fixed here or with the way back; randomness is handed in.
"""

from collections.abc import Callable, Iterator

from cylinder_codes.authenticity import TAG_SECRET_BYTES, TagKey, tag_is_genuine, tag_of
from cylinder_codes.check_digits import check_digits
from cylinder_codes.digital_link import format_link, parse_link
from cylinder_codes.identifiers import PAYLOAD_BYTES, Code, format_code_human, make_code
from cylinder_codes.keys import (
    SEED_BYTES,
    SigningKey,
    format_signer,
    format_tag_key,
    format_vkey,
    parse_signer,
    parse_tag_key,
    parse_vkey,
)
from cylinder_codes.labels import label_png
from cylinder_codes.note import NoteError, NoteErrorKind, open_note, sign_note
from cylinder_codes.reading import ReadFailure, ReadFailureKind, read_scan

CODES = 200

_COUNTING_BYTES = bytes(range(32))
_VKEY = "ledger.example/cylinders+42456925+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
_NOTE = (
    "ledger.example/cylinders\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n"
    "— ledger.example/cylinders "
    "QkVpJfwwpH78DtUR4Ctzc9SdWjiN/tUgKBliJv4cwuvCgsr3PzRKgoAnIZBo0iwYVRLD5a5KpfgLt1Zmzjqgztvxqw4=\n"
)


def run_self_test(random_bytes: Callable[[int], bytes]) -> Iterator[tuple[str, bool]]:
    """Run every check in turn and return what was checked and whether it held.

    Raises LabelsUnavailable at the check that draws a label when the extra ``labels`` is missing.
    """
    key = TagKey("self-test", random_bytes(TAG_SECRET_BYTES))
    other_key = TagKey("self-test", random_bytes(TAG_SECRET_BYTES))
    codes = [make_code(random_bytes(PAYLOAD_BYTES), key) for _ in range(CODES)]
    yield "check digits of the worked example (AB1 has 17)", check_digits("AB1") == "17"
    yield "tag of the worked example (NBNBC9SH)", _tag_example_holds()
    yield f"{CODES} new codes differ from each other", len(set(codes)) == CODES
    yield "their tags are genuine under their key", all(tag_is_genuine(code, key) for code in codes)
    yield "their tags are not genuine under another key", not any(tag_is_genuine(c, other_key) for c in codes)
    yield "every printed form reads back to the same code", all(_reads_back(code) for code in codes)
    yield "a code with a wrong digit is refused", all(_refuses_wrong_check_digits(code) for code in codes)
    yield "a link of another host is refused", _refuses_foreign_link(codes[0])
    yield "key texts read back to the same keys", _keys_read_back(random_bytes)
    yield "published key and signed note come out byte for byte", _note_example_holds()
    yield "a changed signed note is refused", _refuses_changed_note()
    yield "a label is drawn as PNG", label_png(codes[0]).startswith(b"\x89PNG")


def _tag_example_holds() -> bool:
    return tag_of("0123456789ABCDEF", TagKey("example", _COUNTING_BYTES)) == "NBNBC9SH"


def _reads_back(code: Code) -> bool:
    link = format_link(code)
    human = format_code_human(code)
    forms = code.text, human, human.lower(), link, link.upper(), f"]Q1{link.swapcase()}\r\n", link + link
    return parse_link(link).code == code and all(read_scan(form) == code for form in forms)


def _refuses_wrong_check_digits(code: Code) -> bool:
    wrong = code.text[:-1] + str((int(code.text[-1]) + 1) % 10)
    read = read_scan(wrong)
    return isinstance(read, ReadFailure) and read.kind == ReadFailureKind.WRONG_CHECK_DIGITS


def _refuses_foreign_link(code: Code) -> bool:
    read = read_scan(format_link(code, "elsewhere.example"))
    return isinstance(read, ReadFailure) and read.kind == ReadFailureKind.FOREIGN_LINK


def _keys_read_back(random_bytes: Callable[[int], bytes]) -> bool:
    signer = SigningKey("self-test", random_bytes(SEED_BYTES))
    tag_key = TagKey("self-test", random_bytes(TAG_SECRET_BYTES))
    return (
        parse_signer(format_signer(signer)) == signer
        and parse_vkey(format_vkey(signer.verifying_key)) == signer.verifying_key
        and parse_tag_key(format_tag_key(tag_key)) == tag_key
    )


def _note_example_holds() -> bool:
    signer = SigningKey("ledger.example/cylinders", _COUNTING_BYTES)
    text = open_note(_NOTE, [parse_vkey(_VKEY)]).text
    return format_vkey(signer.verifying_key) == _VKEY and sign_note(text, signer) == _NOTE


def _refuses_changed_note() -> bool:
    try:
        open_note(_NOTE.replace("\n8\n", "\n9\n"), [parse_vkey(_VKEY)])
    except NoteError as error:
        return error.kind == NoteErrorKind.WRONG_SIGNATURE
    return False
