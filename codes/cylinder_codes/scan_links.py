"""Links in what arrived (链接): where they begin and end, whose they are, and what stands between them.

``://`` is taken for a link wherever it stands, and so are ``;//``, ``:--`` and ``;--``, as which it is mistyped. A GS1
value may hold them too; it is then read from its own link, where they are percent-encoded, and refused elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cylinder_codes.digital_link import parse_link
from cylinder_codes.elements import GS
from cylinder_codes.errors import CodeError, CodeErrorKind
from cylinder_codes.failures import ReadFailure, ReadFailureKind, failure
from cylinder_codes.scan_runs import Read, Run, failure_in
from cylinder_codes.scan_texts import own_codes, read_text

_LINK_END = re.compile(rf"[ {GS}]")
_LINK_TAIL = re.compile(r"/?(?:[?#].*)?", re.DOTALL)
_SEGMENT_END = re.compile(r"[/?#]")


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What depends on the hosts of the register."""

    head: re.Pattern[str]
    """Where a link begins, of whatever host; without its scheme a host must be ours, and no end of another one."""
    own: re.Pattern[str]
    gs1: re.Pattern[str]
    whole_head: re.Pattern[str]
    """A link of ours, scheme and all, at the beginning of what arrived."""


@lru_cache(maxsize=16)
def patterns_of(hosts: tuple[str, ...]) -> _Patterns:
    """Return the patterns for a register's hosts."""
    ours = "(?:" + "|".join(re.escape(host.upper()) for host in hosts) + ")" if hosts else "(?!)"
    scheme = "HTTPS?[:;]"
    key = "(?:C|8003|8004)"
    return _Patterns(
        head=re.compile(rf"(?:HTTPS?)?[:;](?://|--)|(?<![0-9A-Z.@/:;-]){ours}/{key}/"),
        own=re.compile(rf"{scheme}(?://|--){ours}(?:/C/|-C-)|{ours}/C/"),
        gs1=re.compile(rf"HTTPS?(?P<colon>:)//|HTTPS?(?P<slip>;)//{ours}/|{ours}/"),
        whole_head=re.compile(rf"[\x00-\x1f ~]*(?:\][A-Z][0-9A-Z])?{scheme}//{ours}/{key}/"),
    )


def read_burst(run: Run, hosts: tuple[str, ...], *, gs1: bool) -> Iterator[Read]:
    """Read the links of a burst and what stands between them; ``hosts`` are those whose ``/c/`` is ours."""
    starts = [found.start() for found in patterns_of(hosts).head.finditer(run.text)]
    if starts and run.text[starts[0]] in ":;":
        yield failure(ReadFailureKind.FOREIGN_LINK, run.position(starts[0]))
    place, queried = 0, False
    for start, following in zip(starts, [*starts[1:], len(run.text)], strict=False):
        yield read_text(run.part(place, start), gs1=gs1)
        end = _LINK_END.search(run.text, start, following)
        stop = end.start() if end else following
        read = _read_link(run.part(start, stop), hosts)
        nested = queried and place == start  # another link as a parameter of the one before
        if not (nested and isinstance(read, ReadFailure) and read.kind == ReadFailureKind.FOREIGN_LINK):
            yield read
        queried = (nested or "?" in run.text[start:stop] or "#" in run.text[start:stop]) and stop == following
        place = stop
    yield read_text(run.part(place), gs1=gs1)


def _read_link(run: Run, hosts: tuple[str, ...]) -> Read:
    own = patterns_of(hosts).own.match(run.text)
    if own is None:
        return _read_other_link(run, hosts)
    segment_end = _SEGMENT_END.search(run.text, own.end())
    stop = segment_end.start() if segment_end else len(run.text)
    if "%" in run.text[own.end() : stop] or ":" in run.text[own.end() : stop]:
        return _read_other_link(run, hosts)
    tail = _LINK_TAIL.match(run.text, stop)
    rest = read_text(run.part(tail.end() if tail else stop), gs1=False)
    read = own_codes(run.part(own.end(), stop), from_link=True)
    if isinstance(read, ReadFailure) or isinstance(rest, ReadFailure):
        return read if isinstance(read, ReadFailure) else rest
    return read + rest


def _read_other_link(run: Run, hosts: tuple[str, ...]) -> Read:
    """A GS1 key under any host, or a code from before under one of ours."""
    head = patterns_of(hosts).gs1.match(run.text)
    if head is None:
        return failure(ReadFailureKind.FOREIGN_LINK, _position_of_colon(run))
    if head["colon"]:
        added, text = 0, run.text
    else:
        added, text = (0, run.text.replace(";", ":", 1)) if head["slip"] else (8, f"HTTPS://{run.text}")
    try:
        return [(parse_link(text, hosts).code, run.position(0))]
    except CodeError as error:
        if error.kind in (CodeErrorKind.FOREIGN_LINK, CodeErrorKind.NOT_A_LINK):
            return failure(ReadFailureKind.FOREIGN_LINK, _position_of_colon(run))
        return failure_in(error, run, error.position - 1 - added)


def _position_of_colon(run: Run) -> int:
    found = re.search("[:;]", run.text)
    return run.position(found.start() if found else 0)
