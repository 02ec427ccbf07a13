"""Marks (标记): what became of which numbers of a range, kept as intervals, so that a million codes are one row.

A code reaches each state at most once. So the marks of one state never overlap, and whether a number has reached it is
seen at the one mark that begins nearest below it. Worked example, marks printed 1–500, applied 1–420, void 421–423:
the numbers 400 to 510 are applied to 420, void to 423, printed to 500, then issued.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from cylinder_codes.book.values import Account, CodeRange, CodeState, Mark

_FINAL_FIRST = (CodeState.VOID, CodeState.APPLIED, CodeState.PRINTED)


@dataclass(frozen=True, slots=True)
class Run:
    """Numbers next to one another that are all in the same state."""

    first: int
    last: int
    state: CodeState


def runs_between(database: sqlite3.Connection, range_no: int, first: int, last: int) -> list[Run]:
    """Return the runs that make up the numbers ``first`` to ``last`` of a range, in order and without a gap."""
    marked = {state: _intervals(database, range_no, state, first, last) for state in _FINAL_FIRST}
    starts = {first}
    for intervals in marked.values():
        starts |= {edge for start, end in intervals for edge in (start, end + 1) if first < edge <= last}
    edges = [*sorted(starts), last + 1]
    pieces = [Run(start, after - 1, CodeState.ISSUED) for start, after in pairwise(edges)]
    return _joined(_with_states(pieces, marked))


def marks_on(database: sqlite3.Connection, range_no: int, number: int) -> Iterator[Mark]:
    """Return the marks that cover one number, in the order in which they were made."""
    query = """SELECT first, last, was, became, marked_at, note FROM mark
               WHERE range_no = ? AND first <= ? AND last >= ? ORDER BY mark_no"""
    for first, last, was, became, marked_at, note in database.execute(query, (range_no, number, number)):
        yield Mark(first, last, CodeState(was), CodeState(became), marked_at, note)


def append_mark(database: sqlite3.Connection, range_no: int, mark: Mark) -> None:
    """Write one row; that the numbers really were in that state is for the caller to have looked."""
    row = (range_no, mark.first, mark.last, mark.was.value, mark.became.value, mark.marked_at, mark.note)
    query = "INSERT INTO mark (range_no, first, last, was, became, marked_at, note) VALUES (?, ?, ?, ?, ?, ?, ?)"
    database.execute(query, row)


def account_of(database: sqlite3.Connection, code_range: CodeRange, issued: int) -> Account:
    """Return the account of a range of which ``issued`` codes are issued: a sum over its marks."""
    query = "SELECT was, became, sum(last - first + 1) FROM mark WHERE range_no = ? GROUP BY was, became"
    left = dict.fromkeys(CodeState, 0) | {CodeState.ISSUED: issued}
    for was, became, codes in database.execute(query, (code_range.range_no,)):
        left[CodeState(was)] -= codes
        left[CodeState(became)] += codes
    return Account(code_range.terms.allotted, issued, left)


def _intervals(
    database: sqlite3.Connection, range_no: int, state: CodeState, first: int, last: int
) -> list[tuple[int, int]]:
    where = "FROM mark WHERE range_no = ? AND became = ?"
    below = f"SELECT first, last {where} AND first <= ? ORDER BY first DESC LIMIT 1"
    inside = f"SELECT first, last {where} AND first > ? AND first <= ? ORDER BY first"
    found = database.execute(below, (range_no, state.value, first)).fetchall()
    found += database.execute(inside, (range_no, state.value, first, last)).fetchall()
    return [(start, end) for start, end in found if end >= first]


def _with_states(pieces: list[Run], marked: dict[CodeState, list[tuple[int, int]]]) -> Iterator[Run]:
    """Give each piece the most final state whose marks cover it; pieces and marks both go upwards."""
    places = dict.fromkeys(marked, 0)
    for piece in pieces:
        state = CodeState.ISSUED
        for candidate in reversed(_FINAL_FIRST):
            intervals = marked[candidate]
            while places[candidate] < len(intervals) and intervals[places[candidate]][1] < piece.first:
                places[candidate] += 1
            if places[candidate] < len(intervals) and intervals[places[candidate]][0] <= piece.first:
                state = candidate
        yield Run(piece.first, piece.last, state)


def _joined(runs: Iterator[Run]) -> list[Run]:
    joined: list[Run] = []
    for run in runs:
        if joined and joined[-1].state == run.state:
            joined[-1] = Run(joined[-1].first, run.last, run.state)
        else:
            joined.append(run)
    return joined
