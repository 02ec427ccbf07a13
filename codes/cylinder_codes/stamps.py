"""Stamp comparison (钢印比对): what was read from the steel against what is on file.

A QR code can be copied onto any cylinder; the stamp cannot. So the code finds the cylinder, and the stamp says whether
it is that cylinder. Each field that was read on the steel is compared with the file:

* Text is compared without regard to case, white space and full-width forms (``ＹＳＰ118-Ⅱ`` is ``ysp118-II``).
* In a serial the look-alikes O/0 and I/L/1 are one character each, because people and cameras confuse them there.
* A tare is a number on steel and differs when it differs by more than `tare_tolerance_g`; none is given by default.

Fields that were not read, or are not on file, are not compared. Worked example: on file maker C27, serial A01001,
tare 16500; seen serial ``ao 1OO1`` and tare 16500 agree in two fields, and that is a match; seen with tare 15200 they
differ in `tare_g`, and somebody has to look.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, get_args

StampField = Literal["maker", "serial", "manufactured_month", "model", "tare_g"]
STAMP_FIELDS: tuple[StampField, ...] = get_args(StampField)
FIELDS_FOR_A_MATCH = 2
"""One field alone is no match: serials repeat between makers, and a tare is shared by thousands."""

_LONGEST_TEXT = 200
_HEAVIEST_G = 2_000_000
_MONTH = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LOOK_ALIKES = str.maketrans("OIL", "011")


class StampFields(Protocol):
    """Anything that has the compared fields of a stamp."""

    @property
    def maker(self) -> str | None: ...
    @property
    def serial(self) -> str | None: ...
    @property
    def manufactured_month(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def tare_g(self) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StampReading:
    """What was read from the steel (钢印读数), by eye, camera or device. None = not read.

    Raises ValueError for a text that is empty, longer than 200 characters or not printable, a month that is none, and
    a tare beyond 2,000,000 g.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}
    """Whoever parses it takes no other field and guesses no type: it stands in records that are hashed."""

    maker: str | None = None
    serial: str | None = None
    manufactured_month: str | None = None
    """``YYYY-MM``."""
    model: str | None = None
    tare_g: int | None = None
    """Grams."""

    def __post_init__(self) -> None:
        for name in ("maker", "serial", "model"):
            _require_line(name, getattr(self, name))
        if self.manufactured_month is not None and not _MONTH.fullmatch(self.manufactured_month):
            raise ValueError("manufactured_month is not a month YYYY-MM")
        if self.tare_g is not None and not 0 <= self.tare_g <= _HEAVIEST_G:
            raise ValueError(f"tare_g is not from 0 to {_HEAVIEST_G} grams")


def _require_line(name: str, text: str | None) -> None:
    if text is None:
        return
    if not text.strip() or len(text) > _LONGEST_TEXT:
        raise ValueError(f"{name} has no characters, or more than {_LONGEST_TEXT}")
    if _CONTROL.search(text):
        raise ValueError(f"{name} holds control characters")


@dataclass(frozen=True, slots=True)
class StampComparison:
    """Which fields agree, which differ, and which could not be compared; each in the order of `STAMP_FIELDS`."""

    agree: tuple[StampField, ...]
    differ: tuple[StampField, ...]
    not_read: tuple[StampField, ...]

    @property
    def is_match(self) -> bool:
        """Whether the steel is that of the file: nothing differs, and at least two fields agree."""
        return not self.differ and len(self.agree) >= FIELDS_FOR_A_MATCH


def compare_stamps(on_file: StampFields, seen: StampFields, tare_tolerance_g: int = 0) -> StampComparison:
    """Compare what was `seen` on the steel with what is `on_file`, field by field."""
    found: dict[str, list[StampField]] = {"agree": [], "differ": [], "not_read": []}
    for name in STAMP_FIELDS:
        found[_compared(name, getattr(on_file, name), getattr(seen, name), tare_tolerance_g)].append(name)
    return StampComparison(**{verdict: tuple(names) for verdict, names in found.items()})


def _compared(name: StampField, on_file: Any, seen: Any, tare_tolerance_g: int) -> str:
    if on_file is None or seen is None:
        return "not_read"
    if name == "tare_g":
        same = abs(on_file - seen) <= tare_tolerance_g
    else:
        same = plain_field(name, on_file) == plain_field(name, seen)
    return "agree" if same else "differ"


def plain_field(name: StampField, text: str) -> str:
    """A field's text as it is compared: ``ao 1OO1`` of a serial is ``A01001``."""
    plain = "".join(unicodedata.normalize("NFKC", text).upper().split())
    return plain.translate(_LOOK_ALIKES) if name == "serial" else plain
