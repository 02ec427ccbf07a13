"""Events of any class of a cylinder's life, drawn from its annotations: whatever the class allows may come."""

import types
from datetime import date
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le
from hypothesis import strategies as st
from pydantic import StringConstraints
from pydantic.fields import FieldInfo

from cylinder_codes.stamps import StampReading
from cylinder_trace.chain import Head, Sealed, seal
from cylinder_trace.events import DeviceLink, Event, state_event
from cylinder_trace.values import Frozen

WORDS = st.text("aZ09 瓶-/+\"\\&'%,:;{}[]<>?#=._é", min_size=1, max_size=12).filter(lambda text: text == text.strip())
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True)
HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
MOMENTS = st.integers(0, 4_000_000_000_000)


def drawn(cls: type[Event]) -> st.SearchStrategy[Event]:
    """Events of a class."""
    return _objects(cls).map(cls.model_validate)


@st.composite
def entries(draw: st.DrawFn, cls: type[Event]) -> tuple[Sealed, Event]:
    """An entry of a cylinder's chain that states an event of `cls`, and the event."""
    event = draw(drawn(cls))
    record = state_event(
        event,
        id=draw(IDS),
        subject=f"cylinder/{draw(IDS)}",
        occurred_at=draw(MOMENTS),
        by=draw(IDS),
        refs=tuple(draw(st.lists(IDS.map("station/{}".format), max_size=2))),
        act_id=draw(st.none() | IDS),
        device=draw(st.none() | st.builds(DeviceLink, id=IDS, seq=st.integers(0, 9), prev=HASHES)),
    )
    return seal(record, Head(draw(st.integers(0, 2**53 - 1)), draw(HASHES)), draw(MOMENTS)), event


def _objects(cls: type[Frozen]) -> st.SearchStrategy[dict[str, Any]]:
    hints = get_type_hints(cls, include_extras=True)
    needed: dict[str, st.SearchStrategy[Any]] = {}
    free: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in cls.model_fields.items():
        (needed if field.is_required() else free)[name] = _values(hints[name])
    return st.fixed_dictionaries(needed, optional=free)


def _values(hint: Any, limits: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _values(inside[0], _flat((*limits, *inside[1:])))
    if origin is Literal:
        return st.sampled_from(inside)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_values(part, limits) for part in inside))
    if origin is tuple:
        return st.lists(_values(inside[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(IDS, _values(inside[1]), max_size=2)
    return _simple(hint, limits)


def _simple(hint: Any, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if hint is str:
        return _texts(limits)
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(*_bounds(limits))
    if hint is type(None):
        return st.nothing()
    if hint is StampReading:
        return st.builds(StampReading, serial=st.none() | WORDS, tare_g=st.none() | st.integers(0, 2_000_000))
    return _objects(hint).map(hint.model_validate)


def _bounds(limits: tuple[Any, ...]) -> tuple[int, int]:
    said: dict[type, Any] = {type(limit): limit for limit in limits}
    least = said[Gt].gt + 1 if Gt in said else said[Ge].ge if Ge in said else -(2**53) + 1
    return least, said[Le].le if Le in said else 2**53 - 1


def _texts(limits: tuple[Any, ...]) -> st.SearchStrategy[str]:
    checks = {getattr(limit.func, "__name__", "") for limit in limits if hasattr(limit, "func")}
    if "_is_month" in checks:
        return DAYS.map(lambda day: f"{day:%Y-%m}")
    if "_is_day" in checks:
        return DAYS.map(date.isoformat)
    patterns = [limit.pattern for limit in limits if isinstance(limit, StringConstraints) and limit.pattern]
    if patterns:
        return st.from_regex(patterns[0], fullmatch=True)
    return WORDS


def _flat(limits: tuple[Any, ...]) -> tuple[Any, ...]:
    """The limits themselves: a pydantic field holds some."""
    return tuple(part for limit in limits for part in (limit.metadata if isinstance(limit, FieldInfo) else (limit,)))
