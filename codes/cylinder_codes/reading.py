"""Reading (读码): from what a scanner, a keyboard or a person sent to a code, or to a named reason why not.

Scanners are keyboards. They type in the wrong case, on the wrong keyboard layout, into a Chinese input method, twice
in a row, with a symbology identifier in front and any line ending behind. ``read_scan`` undoes all of that and nothing
more; what is left must be a code to the last character, or it is refused. It never raises, and it never picks one of
two.

Worked examples, the first five reading to ``04HMASW9NF6YZZPW…``, the others to ``grai:09520001123450ZJ33010000017``::

    HTTPS://ID.PINGLIAN.EXAMPLE/C/04HMASW9NF6YZZPW…             the label as printed
    ]Q1https://id.pinglian.example/c/04hmasw9nf6yzzpw…          caps lock on, symbology identifier sent
    httpsÖ--id.pinglian.example-c-04hmasw9nf6zyypw…             an American scanner at a German computer
    ｈｔｔｐｓ：、、ｉｄ。ｐｉｎｇｌｉａｎ…                            full width, through an input method
    04hm-asw9-nf6y-zzpw-…                                         typed from the plate; O read as 0, I and L as 1
    https://brand.example/8003/09520001123450ZJ33010000017      a GS1 key, under whatever host
    ]Q3800309520001123450ZJ33010000017<GS>0109520123456788      an element string, the separator typed out
    (8003) 09520001123450 ZJ33010000017 #24                     typed, with the two check digits behind the #

How: every character is mapped to one character (so that positions stay true); what is between control characters and
AIM identifiers is a burst; links begin at their head and end at a space; the rest is read as text in brackets, element
string, code of our own or GRAI. A last try undoes keyboard layouts, then come the legacy forms that were named.

What can go wrong unseen. A code of our own and a typed text with ``#NN`` carry check digits: one wrong character and
two exchanged neighbours are always refused, more damage 96 times in 97. The serials of GS1 carry none: a text that lost
a piece of one is another serial, which nobody has on file; a QR symbol's own error correction stands against that.
A text of 26 characters with right check digits is a code of our own, even where it could be a GRAI without its AI: one
of those in 97 with a serial of 12 characters then reads as a code that nobody issued, never as another cylinder.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from cylinder_codes.errors import CodeError
from cylinder_codes.failures import ReadFailure, ReadFailureKind, failure, failure_of
from cylinder_codes.identifiers import DEFAULT_HOST, Code
from cylinder_codes.layouts import LAYOUTS
from cylinder_codes.legacy_forms import LegacyForm, legacy_codes
from cylinder_codes.scan_links import patterns_of, read_burst
from cylinder_codes.scan_runs import GS1_SYMBOLS, ONE_TO_ONE, UPPER_CASE, bursts, with_separators
from cylinder_codes.schemes import LEGACY_SCHEMES, Scheme, fold

__all__ = ["MAX_SCAN_LENGTH", "ReadFailure", "ReadFailureKind", "read_scan"]

MAX_SCAN_LENGTH = 512
"""Longer input is no scan; a code read twice as a link has about 120 characters."""

_CANONICAL = re.compile(rf"(?:grai|giai|{'|'.join(sorted(LEGACY_SCHEMES))}):[^\x00-\x1f]+", re.ASCII | re.IGNORECASE)
_LIKE_A_LINK = re.compile(r"[\x00-\x1f ~]*(?:\][A-Z][0-9A-Z])?HTTPS?(?:[^0-9A-Z: ]|[:;]--)")
_NOT_FINAL = frozenset(ReadFailureKind) - {
    ReadFailureKind.EMPTY,
    ReadFailureKind.TOO_LONG,
    ReadFailureKind.TWO_CODES,
    ReadFailureKind.AMBIGUOUS,
}
"""What may still be a code on another keyboard layout, or from before."""
_NO_LINK_OF_OURS = frozenset({ReadFailureKind.NOT_A_CODE, ReadFailureKind.FOREIGN_LINK, ReadFailureKind.WRONG_LENGTH})


def read_scan(
    raw: str, hosts: Sequence[str] = (DEFAULT_HOST,), legacy_forms: Sequence[LegacyForm] = ()
) -> Code | ReadFailure:
    """Return the code in ``raw``, or why there is none. Never raises, whatever the text.

    ``hosts`` are those whose ``/c/`` carries our codes, ``legacy_forms`` what codes from before look like here. The tag
    is not checked: that needs the issuer's key, or a look into the register.
    """
    if len(raw) > MAX_SCAN_LENGTH:
        return failure(ReadFailureKind.TOO_LONG, length=len(raw), limit=MAX_SCAN_LENGTH)
    known = tuple(hosts)
    if printed := _as_printed(raw, known):
        return printed
    read = _as_canonical(raw) or _read(raw.translate(ONE_TO_ONE), known)
    if isinstance(read, ReadFailure) and read.kind in _NOT_FINAL:
        read = _on_another_layout(raw, known) or _named_layout(raw, read)
    return _with_legacy_forms(raw, read, legacy_forms) if legacy_forms else read


def _as_printed(raw: str, hosts: tuple[str, ...]) -> Code | None:
    """The quick way for what nearly always arrives: one link in upper case, to the last character as it was printed."""
    found = _printed_link(hosts).fullmatch(raw)
    if found is None:
        return None
    own, grai, giai = found.groups()
    try:
        return Code(own or (f"grai:{grai}" if grai else f"giai:{giai}"))
    except CodeError:
        return None


@lru_cache(maxsize=16)
def _printed_link(hosts: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(host.upper()) for host in hosts)
    keys = r"C/([0-9A-Z]{26})|8003/([0-9]{14}[0-9A-Z.\-]+)|8004/([0-9A-Z.\-]+)"
    return re.compile(rf"(?:\]Q[13])?HTTPS://(?:{names})/(?:{keys})[\r\n\t]*")


def _as_canonical(raw: str) -> Code | ReadFailure | None:
    """The text as it is stored, ``grai:…`` or ``province:…``: what programs send."""
    text = raw.strip()
    if not _CANONICAL.fullmatch(text):
        return None
    word, _, value = text.partition(":")
    scheme = Scheme(word.lower())
    try:
        return Code(f"{scheme}:{fold(value) if scheme in LEGACY_SCHEMES else value.translate(UPPER_CASE)}")
    except CodeError as error:
        return failure(failure_of(error.kind), min(raw.index(text) + error.position, len(raw) + 1))


def _with_legacy_forms(raw: str, read: Code | ReadFailure, forms: Sequence[LegacyForm]) -> Code | ReadFailure:
    if isinstance(read, ReadFailure) and read.kind not in _NOT_FINAL:
        return read
    texts = {raw[start:stop].strip(" ~") for start, stop, _ in bursts(raw.translate(ONE_TO_ONE))} - {""}
    readings = [legacy_codes(text, forms) for text in texts]
    codes = set().union(*readings)
    if not codes or (isinstance(read, ReadFailure) and not all(readings)):
        return read
    if isinstance(read, Code):
        codes.add(read)
    if len(codes) == 1:
        return codes.pop()
    return failure(ReadFailureKind.TWO_CODES if len(texts) > 1 else ReadFailureKind.AMBIGUOUS)


def _on_another_layout(raw: str, hosts: tuple[str, ...]) -> Code | ReadFailure | None:
    """Undo each keyboard layout; only links of the register's hosts count, for only a link betrays the layout."""
    link = patterns_of(hosts).whole_head
    texts = [layout.meant(raw).translate(ONE_TO_ONE) for layout in LAYOUTS]
    reads = [_read(text, hosts) for text in texts if link.match(text)]
    codes = {read for read in reads if isinstance(read, Code)}
    if len(codes) > 1:
        return failure(ReadFailureKind.WRONG_LAYOUT)
    failures = [read for read in reads if isinstance(read, ReadFailure)]
    return codes.pop() if codes else max(failures, key=lambda failed: failed.position or 0, default=None)


def _named_layout(raw: str, read: ReadFailure) -> ReadFailure:
    """What begins like a link and goes on like none was typed on a layout that is not known, or cannot be undone."""
    like_a_link = read.kind in _NO_LINK_OF_OURS and _LIKE_A_LINK.match(raw.translate(ONE_TO_ONE))
    return failure(ReadFailureKind.WRONG_LAYOUT) if like_a_link else read


def _read(text: str, hosts: tuple[str, ...]) -> Code | ReadFailure:
    first: Code | None = None
    for start, stop, aim in bursts(text):
        for read in read_burst(with_separators(text, start, stop), hosts, gs1=aim in GS1_SYMBOLS):
            if isinstance(read, ReadFailure):
                return read
            for code, position in read:
                if first is not None and code != first:
                    return failure(ReadFailureKind.TWO_CODES, position)
                first = code
    return first or failure(ReadFailureKind.EMPTY)
