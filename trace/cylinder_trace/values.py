"""The small value types that every stored thing is made of, each with its bounds.

`Frozen` is the base of all our data: immutable, unknown fields refused, no silent conversion of types.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cylinder_trace import dates


class Frozen(BaseModel):
    """Base of events, states, requests, decisions: immutable, extra fields forbidden, strict types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Made = TypeVar("Made", bound=Frozen)


def built(cls: type[Made], fields: dict[str, Any], fields_set: set[str]) -> Made:
    """What ``cls.model_construct`` gives when every field is there: `fields` were checked before and are not again.

    The one place where an object is made around pydantic, for what is made without end: an entry and a state with each
    append, a decision and its refusals with each scan.  Pydantic's own ways take five times as long, because they look
    up aliases and defaults, check once more, and copy what nobody changes.
    """
    made = cls.__new__(cls)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", fields_set)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def changed(value: Made, update: Mapping[str, Any]) -> Made:
    """``value.model_copy(update=update)``: `value` with some fields changed, which are not checked."""
    fields_set = value.__pydantic_fields_set__
    # A set of its own only where it differs: sets are work for the garbage collector.
    fields_set = fields_set if update.keys() <= fields_set else fields_set | update.keys()
    return built(type(value), {**value.__dict__, **update}, fields_set)


def plain(value: Frozen) -> dict[str, Any]:
    """``value.model_dump(mode="json", exclude_none=True)``, as it is recorded, without the way there."""
    fields: dict[str, Any] = value.__pydantic_serializer__.to_python(value, mode="json", exclude_none=True)
    return fields


def _is_month(text: str) -> str:
    try:
        dates.parse_month(text)
    except ValueError:  # its message quotes the text, which may be personal data in the wrong field
        raise ValueError("this is not a month YYYY-MM") from None
    return _is_before_for_ever(text)


def _is_day(text: str) -> str:
    try:
        dates.parse_day(text)
    except ValueError:
        raise ValueError("this is not a date YYYY-MM-DD") from None
    return _is_before_for_ever(text)


def _is_before_for_ever(text: str) -> str:
    if text.startswith(dates.FOR_EVER):
        raise ValueError("the year 9999 is no date; what has no end is left out")
    return text


_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


def _is_printable(text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("control characters are not allowed")
    return text


def _has_no_outer_space(text: str) -> str:
    if text != text.strip():
        raise ValueError("white space at an end is not allowed")
    return text


def _in_nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$")]
"""An opaque identifier, 1–80 characters of ``A-Z a-z 0-9 _ . : -``."""
Subject = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}/[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$")]
"""Whose chain an entry belongs to: ``cylinder/cyl_…``, ``station/…``, ``lot/…`` (see ``subjects``)."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 as 64 lower-case hex digits."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_is_printable)]
"""A line for people, 1–200 characters."""
CodeText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=120),
    AfterValidator(_is_printable),
    AfterValidator(_has_no_outer_space),
]
"""The canonical text of a code in any scheme, 1–120 characters: ``04HM…``, ``grai:…``, ``stamp:某厂|2019-03|00123``."""
RawScan = Annotated[str, AfterValidator(_in_nfc), StringConstraints(max_length=512)]
"""What the scanner typed, control characters and all; in Unicode NFC, or it could not be recorded at all."""
LongText = Annotated[str, StringConstraints(min_length=1, max_length=40_000)]
"""A document kept inside an event, such as a rulebook."""
Month = Annotated[str, AfterValidator(_is_month)]
"""``YYYY-MM``."""
Day = Annotated[str, AfterValidator(_is_day)]
"""``YYYY-MM-DD``."""
Instant = Annotated[int, Field(ge=0, le=dates.LATEST_INSTANT)]
"""UTC milliseconds since 1970."""
Grams = Annotated[int, Field(ge=0, le=2_000_000)]
"""A mass in grams."""
Millilitres = Annotated[int, Field(gt=0, le=2_000_000)]
"""A volume in millilitres."""
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""A position or a number of things."""
MediaType = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,40}/[a-z0-9][a-z0-9.+-]{0,79}$")]
"""What kind of file it is: ``image/jpeg``, ``application/pdf``."""


class Evidence(Frozen):
    """A file that proves something, kept outside the ledger (凭证): whoever has it can show it is the one."""

    sha256: Sha256
    media_type: MediaType
    size: Count
    """Bytes."""
