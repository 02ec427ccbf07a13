"""Checking a book (查账): everything is counted anew from the rows, by other ways than those that wrote them.

What the book trusts while it works (the highest number is the count, a mark's former state is the true one, marks of
one state never overlap) is exactly what is not trusted here: the codes are read one by one, and the marks are replayed
in their order over one byte for each code.
"""

import sqlite3
from collections.abc import Generator, Iterator, Sequence

from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.book.file import TRIGGERS
from cylinder_codes.book.marks import account_of
from cylinder_codes.book.values import CodeRange, CodeState
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import Code
from cylinder_codes.schemes import Scheme

_BYTE_OF = {state: place for place, state in enumerate(CodeState)}


def problems_of(database: sqlite3.Connection, ranges: Sequence[CodeRange], keys: Sequence[TagKey]) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong in the book behind ``database``."""
    for (line,) in database.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield f"the file itself is damaged: {line}"
    for table, row, parent, _ in database.execute("PRAGMA foreign_key_check"):
        yield f"{table}: row {row} belongs to no {parent}"
    names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    for missing in sorted(TRIGGERS - names):
        yield f"the guard {missing} is gone: rows may have been changed"
    known = {key.key_id.hex(): key for key in keys}
    for code_range in ranges:
        issued = yield from _check_codes(database, code_range, known.get(code_range.terms.key_id))
        yield from _check_marks(database, code_range, issued)


def _check_codes(database: sqlite3.Connection, code_range: CodeRange, key: TagKey | None) -> Generator[str, None, int]:
    """Look at each code, and return how many there are."""
    issued, expected = 0, 1
    query = "SELECT number, code FROM issued WHERE range_no = ? ORDER BY number"
    for number, text in database.execute(query, (code_range.range_no,)):
        if number != expected:
            yield f"{code_range.name}: a hole, {_numbers(expected, number - 1)} missing"
        issued, expected = issued + 1, number + 1
        if wrong := _wrong_with(text, code_range, key):
            yield f"{code_range.name}: number {number} ({text}) {wrong}"
    if issued > code_range.terms.allotted:
        yield f"{code_range.name}: {issued} codes are issued, but {code_range.terms.allotted} were allotted"
    if code_range.handed_out and issued < code_range.terms.allotted:
        yield f"{code_range.name}: it is handed out, but {code_range.terms.allotted - issued} codes are still to issue"
    return issued


def _numbers(first: int, last: int) -> str:
    return f"number {first} is" if first == last else f"numbers {first} to {last} are"


def _wrong_with(text: str, code_range: CodeRange, key: TagKey | None) -> str:
    terms = code_range.terms
    try:
        code = Code(text)
    except CodeError as error:
        return f"is no code: {error}"
    if code.scheme != terms.scheme:
        return f"is {code.scheme}, but its range is {terms.scheme}"
    head = {Scheme.GRAI: f"0{terms.prefix}"}.get(terms.scheme, terms.prefix)
    if not code.value.startswith(head):
        return f"does not begin with {head} as its range does"
    if key and not tag_is_genuine(code, key):
        return f"was not made with the key {key.name} that its range names"
    return ""


def _check_marks(database: sqlite3.Connection, code_range: CodeRange, issued: int) -> Iterator[str]:
    states = bytearray(issued)  # all of them in the first state
    query = "SELECT first, last, was, became FROM mark WHERE range_no = ? ORDER BY mark_no"
    for first, last, was, became in database.execute(query, (code_range.range_no,)):
        if last > issued:
            yield f"{code_range.name}: {first} to {last} are marked {became}, but only {issued} codes are issued"
            continue
        if states.count(_BYTE_OF[was], first - 1, last) != last - first + 1:
            yield f"{code_range.name}: {first} to {last} are marked {became} from {was}, but not all of them were {was}"
        states[first - 1 : last] = bytes([_BYTE_OF[became]]) * (last - first + 1)
    account = account_of(database, code_range, issued)
    for state, told in account.by_state.items():
        counted = states.count(_BYTE_OF[state])
        if counted != told:
            yield f"{code_range.name}: the account says {told} {state}, the marks one by one {counted}"
