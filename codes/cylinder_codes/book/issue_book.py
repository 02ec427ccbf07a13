"""The issue book (发码簿): ranges allotted, codes issued, and what became of them.

A *range* (号段) is so many codes allotted (分配) to a maker or printer, in one scheme and under one tag key. Codes
enter in steps of one transaction each, numbered 1, 2, 3 … within their range, and a step looks anew how far the
range is before it adds to it. So after a kill the same call goes on where the last whole step ended: no number
twice, none left out, and never more than were allotted, even with two processes at work on one range. A range
counts as open until its codes are handed out in a file that is whole.

Worked example: 40 000 codes asked, the process killed after three steps of 5 000. The book then says 15 000 of 40 000;
the next call adds numbers 15 001 to 40 000. What was drawn but not yet written at the kill was seen by nobody.

A sealed GS1 code has only 45 random bits: one that is in the book already is drawn again. So all codes under one GS1
prefix belong into one book. Our own scheme has 80, which do not repeat by chance.

The register itself (which code is on which cylinder, which is dead) is not here: that is the ledger's.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from cylinder_codes.authenticity import TagKey
from cylinder_codes.book.check import problems_of
from cylinder_codes.book.file import BookError, BookFile
from cylinder_codes.book.marks import Run, account_of, append_mark, marks_on, runs_between
from cylinder_codes.book.values import (
    STATE_NAMES_ZH,
    STATES_BEFORE,
    Account,
    CodeRange,
    CodeState,
    FoundCode,
    Interval,
    IssuedCode,
    Mark,
    RangeTerms,
)
from cylinder_codes.identifiers import Code
from cylinder_codes.schemes import Scheme

CODES_PER_STEP = 5000
"""New codes fall anywhere in the index, so a step writes about a page a code; larger steps share more pages."""
_SEALED_DRAWS = 20
_RANGES = """
    SELECT range_no, name, allotted, holder, scheme, prefix, key_name, key_id, opened_at,
           (SELECT coalesce(max(number), 0) FROM issued WHERE issued.range_no = code_range.range_no),
           range_no IN (SELECT range_no FROM handed_out)
    FROM code_range"""


class IssueBook:
    """A book at ``path``, made when it is not there. Raises BookError for a file that is something else."""

    def __init__(self, path: str) -> None:
        self._file = BookFile(path)

    def close(self) -> None:
        """Close the file; everything issued is on the disk already."""
        self._file.database.close()

    def ranges(self) -> list[CodeRange]:
        """Return all ranges in the order in which they were opened."""
        with self._file.explained():
            return [_range_of(row) for row in self._file.database.execute(f"{_RANGES} ORDER BY range_no")]

    def range_named(self, name: str) -> CodeRange:
        """Return one range; BookError when the book has none of that name."""
        with self._file.explained():
            row = self._file.database.execute(f"{_RANGES} WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise BookError(f"{self._file.path} has no range {name}: `cylinder-codes book show` lists them")
        return _range_of(row)

    def unfinished(self) -> list[CodeRange]:
        """Return the ranges that a kill kept from being handed out."""
        return [code_range for code_range in self.ranges() if not code_range.handed_out]

    def open_range(self, name: str | None, terms: RangeTerms, opened_at: int) -> CodeRange:
        """Open a new range, or come back to an unfinished one.

        Without a ``name``, an unfinished range on the same terms is taken up again; otherwise a new one gets the next
        free name. BookError when the range named was opened on other terms or is handed out already.
        """
        with self._file.transaction() as database:
            found = {code_range.name: code_range for code_range in self.ranges()}
            if name is None:
                same = (r.name for r in found.values() if not r.handed_out and r.terms == terms)
                name = next(same, None) or _free_name(found)
            if name not in found:
                return _insert_range(database, name, terms, opened_at)
        return _require_same(found[name], terms)

    def issue_step(
        self, code_range: CodeRange, key: TagKey, random_bytes: Callable[[int], bytes], issued_at: int
    ) -> CodeRange:
        """Add the next codes of a range durably, CODES_PER_STEP at most, and return how far it is now."""
        terms = code_range.terms
        with self._file.transaction() as database:
            issued = self.range_named(code_range.name).issued
            last = min(issued + CODES_PER_STEP, terms.allotted)
            draws = 1 if terms.scheme == Scheme.OWN else _SEALED_DRAWS
            for number in range(issued + 1, last + 1):
                drawn = (terms.make(random_bytes(terms.random_bytes_each), key) for _ in range(draws))
                if not any(_insert_code(database, code_range.range_no, number, code, issued_at) for code in drawn):
                    # not chance but a broken random source: stop at once
                    sentence = "a new code is in the book already; do not issue on this machine"
                    raise BookError(f"{self._file.path}: {sentence}")
        return replace(code_range, issued=last)

    def mark_handed_out(self, code_range: CodeRange, handed_out_at: int) -> None:
        """Note that the codes of a range are in a file, so that the next request is a new one."""
        with self._file.transaction() as database:
            row = code_range.range_no, handed_out_at
            database.execute("INSERT OR IGNORE INTO handed_out VALUES (?, ?)", row)

    def codes_of(self, code_range: CodeRange, first: int = 1, last: int | None = None) -> Iterator[IssuedCode]:
        """Return the codes of a range in the order of their numbers, from ``first`` to ``last``."""
        query = """SELECT number, code, issued_at FROM issued
                   WHERE range_no = ? AND number >= ? AND number <= ? ORDER BY number"""
        with self._file.explained():
            row = code_range.range_no, first, code_range.terms.allotted if last is None else last
            for number, code, issued_at in self._file.database.execute(query, row):
                yield IssuedCode(code_range.name, number, Code(code), issued_at)

    def where(self, code: Code) -> tuple[CodeRange, int] | None:
        """Return the range and number of a code, None when it was not issued from here."""
        query = "SELECT name, number FROM issued JOIN code_range USING (range_no) WHERE code = ?"
        with self._file.explained():
            row = self._file.database.execute(query, (code.text,)).fetchone()
        return row and (self.range_named(row[0]), row[1])

    def find(self, code: Code) -> FoundCode | None:
        """Return what the book knows about a code, None when it was not issued from here."""
        with self._file.snapshot() as database:
            if (place := self.where(code)) is None:
                return None
            code_range, number = place
            (issued,) = self.codes_of(code_range, number, number)
            (run,) = runs_between(database, code_range.range_no, number, number)
            return FoundCode(issued, code_range, run.state, tuple(marks_on(database, code_range.range_no, number)))

    def runs(self, code_range: CodeRange, first: int = 1, last: int | None = None) -> list[Run]:
        """Return which issued numbers from ``first`` to ``last`` are in which state, in order."""
        with self._file.snapshot() as database:
            issued = self.range_named(code_range.name).issued
            last = issued if last is None else min(last, issued)
            return runs_between(database, code_range.range_no, first, last) if first <= last else []

    def mark(self, intervals: Sequence[Interval], became: CodeState, marked_at: int, note: str = "") -> int:
        """Mark the codes of all ``intervals``, or none, and return how many they are.

        BookError, naming the first code that stands in the way, when one is not issued yet or not in a state before.
        """
        with self._file.transaction() as database:
            for interval in intervals:
                for run in self._markable_runs(database, interval, became):
                    mark = Mark(run.first, run.last, run.state, became, marked_at, note)
                    append_mark(database, interval.code_range.range_no, mark)
        return sum(interval.last - interval.first + 1 for interval in intervals)

    def _markable_runs(self, database: sqlite3.Connection, interval: Interval, became: CodeState) -> list[Run]:
        code_range, first, last = interval.code_range, interval.first, interval.last
        issued = self.range_named(code_range.name).issued
        if not 1 <= first <= last <= issued:
            there = f"the numbers 1 to {issued}" if issued else "no code yet"
            raise BookError(f"{code_range.name} has {there}, so {first} to {last} cannot be marked; nothing was marked")
        runs = runs_between(database, code_range.range_no, first, last)
        for run in runs:
            if run.state not in STATES_BEFORE.get(became, ()):
                (code,) = self.codes_of(code_range, run.first, run.first)
                sentence = f"{code} is {_STANDING[run.state]} and cannot become {became}"
                raise BookError(f"{sentence} ({STATE_NAMES_ZH[became]}); nothing was marked")
        return runs

    def account(self, code_range: CodeRange) -> Account:
        """Return the account of a range as it is now."""
        with self._file.snapshot() as database:
            issued = self.range_named(code_range.name).issued
            return account_of(database, code_range, issued)

    def problems(self, keys: Sequence[TagKey] = ()) -> Iterator[str]:
        """Recompute everything from the rows and yield a sentence for each thing that is wrong; none for a good book.

        With the ``keys`` of the issuer, each code is also held against the key that its range names.
        """
        with self._file.snapshot() as database:
            yield from problems_of(database, self.ranges(), keys)


_STANDING = {
    CodeState.ISSUED: "not printed yet (未印)",
    CodeState.PRINTED: "printed already (已印)",
    CodeState.APPLIED: "applied (已贴), which is final,",
    CodeState.VOID: "void (作废), which is final,",
}


def _range_of(row: tuple[Any, ...]) -> CodeRange:
    range_no, name, allotted, holder, scheme, prefix, key_name, key_id, opened_at, issued, handed_out = row
    terms = RangeTerms(allotted, holder, key_name, key_id, Scheme(scheme), prefix)
    return CodeRange(range_no, name, terms, opened_at, issued, bool(handed_out))


def _insert_range(database: sqlite3.Connection, name: str, terms: RangeTerms, opened_at: int) -> CodeRange:
    query = """INSERT INTO code_range (name, allotted, holder, scheme, prefix, key_name, key_id, opened_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
    row = name, terms.allotted, terms.holder, terms.scheme.value, terms.prefix, terms.key_name, terms.key_id, opened_at
    added = database.execute(query, row)
    return CodeRange(added.lastrowid or 0, name, terms, opened_at)


def _insert_code(database: sqlite3.Connection, range_no: int, number: int, code: Code, issued_at: int) -> bool:
    """Add one code; False when the book holds it already."""
    query = "INSERT INTO issued VALUES (?, ?, ?, ?) ON CONFLICT (code) DO NOTHING"
    return database.execute(query, (range_no, number, code.text, issued_at)).rowcount == 1


def _free_name(taken: dict[str, CodeRange]) -> str:
    number = len(taken) + 1
    while f"range-{number:04d}" in taken:
        number += 1
    return f"range-{number:04d}"


def _require_same(found: CodeRange, terms: RangeTerms) -> CodeRange:
    asked = terms.allotted
    if found.terms.allotted != asked:
        raise BookError(f"{found.name} was opened for {found.terms.allotted} codes, not {asked}: name another range")
    if found.terms.key_id != terms.key_id:
        raise BookError(f"{found.name} was opened with the key {found.terms.key_name}: use that key, or another range")
    if found.terms != terms:
        raise BookError(f"{found.name} was opened for {_spoken(found.terms)}, not {_spoken(terms)}: name another range")
    if found.handed_out:
        again = f"`cylinder-codes book codes --range {found.name}` writes its codes again"
        raise BookError(f"{found.name} is issued and handed out already: {again}")
    return found


def _spoken(terms: RangeTerms) -> str:
    return f"{terms.holder_name}, {terms.scheme.upper()} {terms.prefix}".rstrip()
