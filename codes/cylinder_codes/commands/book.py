"""``cylinder-codes book``: what was issued to whom and what became of it (账目), marks, and codes written out again."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from cylinder_codes.book.issue_book import IssueBook
from cylinder_codes.book.values import STATE_NAMES_ZH, CodeRange, CodeState, FoundCode, Interval
from cylinder_codes.commands.account import account_facts, account_table
from cylinder_codes.commands.code_file import read_code, read_codes, write_codes
from cylinder_codes.commands.common import (
    BAD,
    GOOD,
    CannotCheck,
    add_command,
    add_group,
    add_host,
    counted,
    is_or_are,
    line_of_text,
    now_ms,
    positive,
    say,
)
from cylinder_codes.commands.files import require_place
from cylinder_codes.commands.issuer import DEFAULT_FOLDER, add_issuer_options, open_issuer
from cylinder_codes.commands.pace import progress
from cylinder_codes.commands.passphrase import Passphrase, read_secret
from cylinder_codes.identifiers import Code, format_code_human
from cylinder_codes.pem import read_tag_key

_MOST_PROBLEMS = 100


# ---------------------------------------------------------------- show


def _show(options: argparse.Namespace) -> int:
    with _open_book(options) as book:
        if options.range is not None:
            return _show_range(options, book, book.range_named(options.range))
        rows = [(code_range, book.account(code_range)) for code_range in book.ranges()]
    say(options, account_table(rows, total=True), ranges=[account_facts(*row) for row in rows])
    return GOOD


def _show_range(options: argparse.Namespace, book: IssueBook, code_range: CodeRange) -> int:
    account, runs = book.account(code_range), book.runs(code_range)
    lines = [f"{run.first} to {run.last}: {_state(run.state)}" for run in runs]
    say(options, "\n".join([account_table([(code_range, account)], total=False), "", *lines]),
        **account_facts(code_range, account), runs=[asdict(run) for run in runs])  # fmt: skip
    return GOOD


def _state(state: CodeState) -> str:
    return f"{'unprinted' if state == CodeState.ISSUED else state} ({STATE_NAMES_ZH[state]})"


# ---------------------------------------------------------------- mark


def _mark(options: argparse.Namespace) -> int:
    state = CodeState(options.state)
    with _open_book(options) as book:
        intervals = _intervals(options, book)
        marked = book.mark(intervals, state, now_ms(), options.note or "")
    names = sorted({interval.code_range.name for interval in intervals})
    amount = f"{counted(marked, 'code')} {is_or_are(marked)}"
    say(options, f"{', '.join(names)}: {amount} {_state(state)} now", marked=marked, state=state, ranges=names)
    return GOOD


def _intervals(options: argparse.Namespace, book: IssueBook) -> list[Interval]:
    if options.range is not None:
        code_range = book.range_named(options.range)
        if options.all:
            return [Interval(code_range, 1, code_range.issued)]
        if options.first is None or options.last is None:
            raise CannotCheck("--range wants --from and --to, or --all: say which numbers of the range are meant")
        return [Interval(code_range, options.first, options.last)]
    if options.all or options.first is not None or options.last is not None:
        raise CannotCheck("--from, --to and --all count within a range: name it with --range")
    codes = [_read(text, options) for text in options.code or ()]
    return _intervals_of(book, codes or read_codes(options.codes, options.host))


def _intervals_of(book: IssueBook, codes: Iterable[Code]) -> list[Interval]:
    """Return the codes as intervals: a box of labels has neighbouring numbers, which one row can mark."""
    numbers: dict[CodeRange, set[int]] = {}
    for code in codes:
        code_range, number = _place(book, code)
        numbers.setdefault(code_range, set()).add(number)
    intervals: list[Interval] = []
    for code_range, some in numbers.items():
        for number in sorted(some):
            if intervals and intervals[-1].code_range == code_range and intervals[-1].last == number - 1:
                intervals[-1] = Interval(code_range, intervals[-1].first, number)
            else:
                intervals.append(Interval(code_range, number, number))
    return intervals


def _place(book: IssueBook, code: Code) -> tuple[CodeRange, int]:
    place = book.where(code)
    if place is None:
        raise CannotCheck(f"{format_code_human(code)} was not issued from this book; nothing was done")
    return place


def _read(text: str, options: argparse.Namespace) -> Code:
    return read_code(text, options.host, f"nothing was done, {text!a}")


# ---------------------------------------------------------------- check, find, codes


def _check(options: argparse.Namespace) -> int:
    keys = [read_secret(options.key, read_tag_key, Passphrase(options))] if options.key else []
    if options.tags:
        keys += open_issuer(options).tag_keys()
    with _open_book(options) as book:
        found = book.problems(keys)
        problems = list(islice(found, _MOST_PROBLEMS))
        more = next(found, None) is not None
        issued = sum(code_range.issued for code_range in book.ranges())
    tags = "; every tag is genuine (防伪标签相符)" if keys else ""
    good = f"the book is right: {issued} codes, none missing, none double, every account balances (账目相符){tags}"
    cut = [f"… and more; these are the first {_MOST_PROBLEMS}"] if more else []
    say(options, "\n".join([*problems, *cut]) or good, ok=not problems, issued=issued, problems=problems, more=more)
    return BAD if problems else GOOD


def _find(options: argparse.Namespace) -> int:
    code = _read(options.text, options)
    with _open_book(options) as book:
        found = book.find(code)
    if found is None:
        say(
            options,
            f"{format_code_human(code)} was not issued from this book (本发码簿未发此码)",
            found=False,
            code=code.text,
        )
        return BAD
    terms = found.code_range.terms
    say(options, "\n".join(_told(found)), found=True, code=code.text, range=found.code_range.name,
        number=found.issued.number, to=terms.holder, state=found.state, issued_at=found.issued.issued_at,
        marks=[asdict(mark) for mark in found.marks])  # fmt: skip
    return GOOD


def _told(found: FoundCode) -> Iterator[str]:
    issued = found.issued
    yield f"{format_code_human(issued.code)}: {_state(found.state)}"
    holder = found.code_range.terms.holder_name
    yield f"range 号段 {issued.range_name}, number 编号 {issued.number}, to 分配给 {holder}"
    yield f"{_day(issued.issued_at)} issued (已发)"
    for mark in found.marks:
        note = f": {mark.note}" if mark.note else ""
        yield f"{_day(mark.marked_at)} {_state(mark.became)}, with numbers {mark.first} to {mark.last}{note}"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _codes(options: argparse.Namespace) -> int:
    require_place(options.out)
    with _open_book(options) as book:
        intervals = _wanted(options, book)
        total = min(sum(interval.last - interval.first + 1 for interval in intervals), options.limit or sys.maxsize)
        if not total:
            raise CannotCheck("the book has no such code, so nothing is written: see `cylinder-codes book show`")
        codes = (code for one in intervals for code in book.codes_of(one.code_range, one.first, one.last))
        with progress("written", total) as show:
            write_codes(options.out, islice(codes, total), options.host, show)
    say(options, f"{counted(total, 'code')} {is_or_are(total)} in {options.out}", codes=total, out=str(options.out))
    return GOOD


def _wanted(options: argparse.Namespace, book: IssueBook) -> list[Interval]:
    if options.range is None:
        places = [_place(book, _read(text, options)) for text in options.code]
        return [Interval(code_range, number, number) for code_range, number in places]
    code_range = book.range_named(options.range)
    runs = book.runs(code_range, options.first or 1, options.last)
    return [Interval(code_range, run.first, run.last) for run in runs if options.state in (None, run.state)]


# ---------------------------------------------------------------- arguments


def _open_book(options: argparse.Namespace) -> closing[IssueBook]:
    path: Path = options.book or options.issuer / "book.sqlite"
    if not path.exists():
        raise CannotCheck(f"{path}: there is no issue book: `cylinder-codes issue` makes one, or name it with --book")
    return closing(IssueBook(str(path)))


def add_to(commands: Any) -> None:
    acts = add_group(
        commands, "book", "what was issued to whom and what became of it (账目): account, marks, check, look-up",
        "The issue book (发码簿): a code is issued, then printed (已印), then applied (已贴); or it is void (作废).",
        examples=["show"],
    )  # fmt: skip
    for add in (_add_show, _add_mark, _add_check, _add_find, _add_codes):
        add(acts)


def _add(acts: Any, name: str, run: Any, summary: str, more: str, example: str) -> Any:
    act = add_command(acts, name, run, summary, more, example=example)
    act.add_argument("--book", type=Path, help="the issue book (default: the one in the issuer's folder)")
    if name == "check":
        add_issuer_options(act)  # the others need no secret, so no passphrase
    else:
        act.add_argument("--issuer", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help="the issuer's folder")
    return act


def _add_numbers(act: Any) -> None:
    act.add_argument("--from", dest="first", type=positive, metavar="N", help="first number in the range")
    act.add_argument("--to", dest="last", type=positive, metavar="N", help="last number in the range")


def _add_show(acts: Any) -> None:
    act = _add(acts, "show", _show, "the account (账目) of every range",
               "Allotted = issued + to issue; issued = unprinted + printed + applied + void.", "")  # fmt: skip
    act.add_argument("--range", metavar="NAME", help="one range only, with the numbers that are in each state")


def _add_mark(acts: Any) -> None:
    act = _add(
        acts, "mark", _mark, "note that codes are printed, applied or void",
        "All codes named are marked or none. Applied and void are final. A spoiled label: print the same code again"
        " (book codes --code), or mark it void and take another.",
        "printed --range range-0001 --from 1 --to 500",
    )  # fmt: skip
    act.add_argument("state", choices=[state.value for state in CodeState if state != CodeState.ISSUED])
    which = act.add_mutually_exclusive_group(required=True)
    which.add_argument("--range", metavar="NAME", help="numbers of this range: with --from and --to, or --all")
    which.add_argument("--code", nargs="+", help="these codes, as text or link")
    which.add_argument("--codes", type=Path, metavar="FILE", help="the codes in this file (CSV, or one a line)")
    _add_numbers(act)
    act.add_argument("--all", action="store_true", help="every code issued in the range")
    act.add_argument("--note", type=line_of_text, help="why, or where: kept in the book")
    add_host(act)


def _add_check(acts: Any) -> None:
    act = _add(acts, "check", _check, "count everything anew and name what is wrong (exit 1)",
               "No code missing, none double, every account balanced, every mark in order.", "--tags")  # fmt: skip
    act.add_argument("--tags", action="store_true", help="check the tags too, with the keys in the issuer's folder")
    act.add_argument("--key", type=Path, help="check the tags too, with this tag key")


def _add_find(acts: Any) -> None:
    act = _add(acts, "find", _find, "look one code up: range, number, holder, state, marks",
               "Exit 1 when it was not issued from this book.", "04HM-ASW9-NF6Y-ZZPW-1011-YN69-55")  # fmt: skip
    act.add_argument("text", metavar="CODE", help="the code, as text or link")
    add_host(act)


def _add_codes(acts: Any) -> None:
    act = _add(acts, "codes", _codes, "write codes into a CSV file again, as issue does",
               "For a lost file, a spoiled label, or the next box to print.",
               "--range range-0001 --state issued --limit 500 --out box.csv")  # fmt: skip
    which = act.add_mutually_exclusive_group(required=True)
    which.add_argument("--range", metavar="NAME", help="codes of this range")
    which.add_argument("--code", nargs="+", help="these codes, as text or link")
    _add_numbers(act)
    act.add_argument("--state", choices=[state.value for state in CodeState], help="those in this state only")
    act.add_argument("--limit", type=positive, metavar="N", help="not more than so many")
    act.add_argument("--out", type=Path, required=True, help="CSV file to make")
    add_host(act)
