"""The account of a range: whatever is marked, in whatever order, each code is in one state and none is lost."""

import csv
import itertools
import json
import os
import pty
import select
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey
from cylinder_codes.book.file import BookError
from cylinder_codes.book.issue_book import IssueBook
from cylinder_codes.book.values import STATES_BEFORE, CodeRange, CodeState, Interval, RangeTerms
from cylinder_codes.cli import main
from cylinder_codes.commands.pace import pace_line
from cylinder_codes.digital_link import format_link
from cylinder_codes.identifiers import format_code_human, make_code
from cylinder_codes.keys import format_tag_key
from cylinder_codes.schemes import Scheme

KEY = TagKey("works", bytes(range(32)))
COMMAND = str(Path(sys.executable).with_name("cylinder-codes"))
ISSUED, PRINTED, APPLIED, VOID = CodeState
SIZE = 40


def issued_range(book: IssueBook, allotted: int = SIZE, holder: str = "") -> CodeRange:
    code_range = book.open_range(None, RangeTerms.under(KEY, allotted, holder), opened_at=1)
    while not code_range.complete:
        code_range = book.issue_step(code_range, KEY, os.urandom, issued_at=1)
    return code_range


def account_in(book: IssueBook, code_range: CodeRange) -> tuple[int, int, int, int]:
    by_state = book.account(code_range).by_state
    return by_state[ISSUED], by_state[PRINTED], by_state[APPLIED], by_state[VOID]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.sqlite"


# ---------------------------------------------------------------- the account as a law

firsts = st.integers(min_value=1, max_value=SIZE + 1)
lengths = st.one_of(st.integers(min_value=1, max_value=6), st.integers(min_value=0, max_value=SIZE))
marks = st.lists(st.tuples(st.sampled_from([PRINTED, PRINTED, APPLIED, VOID]), firsts, lengths), max_size=30)


@settings(max_examples=60, deadline=None)
@given(marks=marks)
def test_after_any_sequence_of_marks_the_account_is_that_of_a_plain_list(
    marks: list[tuple[CodeState, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        book = IssueBook(f"{folder}/book.sqlite")
        code_range, model = issued_range(book), [ISSUED] * SIZE
        for at, (state, first, length) in enumerate(marks):
            last = first + length - 1
            allowed = first <= last <= SIZE and all(was in STATES_BEFORE[state] for was in model[first - 1 : last])
            try:
                book.mark([Interval(code_range, first, last)], state, at)
                assert allowed
                model[first - 1 : last] = [state] * (last - first + 1)
            except BookError:
                assert not allowed
            assert account_in(book, code_range) == tuple(Counter(model)[state] for state in CodeState)
        states = [run.state for run in book.runs(code_range) for _ in range(run.first, run.last + 1)]
        assert states == model
        assert all(before.state != after.state for before, after in itertools.pairwise(book.runs(code_range)))
        assert [book.find(line.code).state for line in book.codes_of(code_range)] == model  # type: ignore[union-attr]
        assert list(book.problems([KEY])) == []
        book.close()


def test_allotted_is_issued_and_still_to_issue(path: Path) -> None:
    book = IssueBook(str(path))
    code_range = book.open_range(None, RangeTerms.under(KEY, 8000), opened_at=1)
    book.issue_step(code_range, KEY, os.urandom, issued_at=1)
    account = book.account(code_range)
    assert (account.allotted, account.issued, account.to_issue) == (8000, 5000, 3000)
    assert sum(account.by_state.values()) == 5000
    assert list(book.problems()) == []
    book.close()


# ---------------------------------------------------------------- the life of a code


def test_a_code_is_issued_then_printed_then_applied(path: Path) -> None:
    book = IssueBook(str(path))
    code_range = issued_range(book)
    assert book.mark([Interval(code_range, 1, 30)], PRINTED, 10) == 30
    assert book.mark([Interval(code_range, 5, 20)], APPLIED, 20, note="box 3") == 16
    assert account_in(book, code_range) == (10, 14, 16, 0)
    found = book.find(next(book.codes_of(code_range, 7)).code)
    assert found is not None
    assert (found.state, found.issued.number) == (APPLIED, 7)
    assert [(mark.became, mark.marked_at, mark.note) for mark in found.marks] == [
        (PRINTED, 10, ""),
        (APPLIED, 20, "box 3"),
    ]
    book.close()


@pytest.mark.parametrize(
    ("before", "state", "why"),
    [
        ([], APPLIED, "is not printed yet (未印) and cannot become applied (已贴)"),
        ([PRINTED], PRINTED, "is printed already (已印) and cannot become printed (已印)"),
        ([PRINTED, APPLIED], APPLIED, "is applied (已贴), which is final, and cannot become applied"),
        ([PRINTED, APPLIED], VOID, "is applied (已贴), which is final, and cannot become void (作废)"),
        ([PRINTED, APPLIED], PRINTED, "is applied (已贴), which is final"),
        ([VOID], PRINTED, "is void (作废), which is final"),
        ([VOID], VOID, "is void (作废), which is final"),
        ([PRINTED, VOID], APPLIED, "is void (作废), which is final"),
    ],
)
def test_a_code_takes_no_other_way(path: Path, before: list[CodeState], state: CodeState, why: str) -> None:
    book = IssueBook(str(path))
    code_range = issued_range(book)
    for earlier in before:
        book.mark([Interval(code_range, 9, 9)], earlier, 1)
    (ninth,) = book.codes_of(code_range, 9, 9)
    account = account_in(book, code_range)
    with pytest.raises(BookError) as refusal:
        book.mark([Interval(code_range, 9, 9)], state, 2)
    assert str(refusal.value).startswith(f"range-0001 number 9 ({format_code_human(ninth.code)}) {why}")
    assert account_in(book, code_range) == account
    book.close()


def test_marks_are_made_for_all_codes_or_for_none(path: Path) -> None:
    book = IssueBook(str(path))
    code_range, other = issued_range(book), issued_range(book, 10, "printer B")
    book.mark([Interval(other, 5, 5)], PRINTED, 1)
    with pytest.raises(BookError, match=r"range-0002 number 5 .* is printed already"):
        book.mark([Interval(code_range, 1, SIZE), Interval(other, 1, 10)], PRINTED, 2)
    assert account_in(book, code_range) == (SIZE, 0, 0, 0)
    assert account_in(book, other) == (9, 1, 0, 0)
    book.close()


def test_codes_that_are_not_issued_yet_cannot_be_marked(path: Path) -> None:
    book = IssueBook(str(path))
    code_range = issued_range(book)
    for first, last in ((1, SIZE + 1), (0, 3), (5, 4), (SIZE + 1, SIZE + 1)):
        with pytest.raises(BookError, match=r"has the numbers 1 to 40, so .* cannot be marked"):
            book.mark([Interval(code_range, first, last)], PRINTED, 1)
    book.close()


def test_twenty_thousand_codes_are_marked_with_one_row(path: Path) -> None:
    book = IssueBook(str(path))
    code_range = issued_range(book, 20_000)
    book.mark([Interval(code_range, 1, 20_000)], PRINTED, 1)
    book.close()
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM mark").fetchone() == (1,)
    database.close()


# ---------------------------------------------------------------- checking


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM issued WHERE number BETWEEN 7 AND 9", "range-0001: a hole, numbers 7 to 9 are missing"),
        ("DELETE FROM issued WHERE number = 1", "range-0001: a hole, number 1 is missing"),
        ("DELETE FROM issued WHERE number = 40", "it is handed out, but 1 codes are still to issue"),
        ("UPDATE issued SET number = 41 WHERE number = 40", "a hole, number 40 is missing"),
        ("INSERT INTO issued VALUES (1, 41, '{stranger}', 1)", "41 codes are issued, but 40 were allotted"),
        ("INSERT INTO issued VALUES (1, 41, '{stranger}', 1)", "was not made with the key works that its range names"),
        ("UPDATE issued SET code = 'grai:09520001123450X' WHERE number = 3", "is grai, but its range is own"),
        ("UPDATE issued SET code = 'ABC' WHERE number = 3", "number 3 (ABC) is no code: a code has 26 characters"),
        ("UPDATE issued SET range_no = 9 WHERE number = 3", "issued: row"),
        ("UPDATE mark SET last = 12 WHERE became = 'applied'", "not all of them were printed"),
        ("UPDATE mark SET last = 50 WHERE became = 'printed'", "marked printed, but only 40 codes are issued"),
        ("DELETE FROM mark WHERE became = 'printed'", "marked applied from printed, but not all of them were printed"),
        (
            "INSERT INTO mark VALUES (9, 1, 2, 3, 'issued', 'printed', 1, '')",
            "2 to 3 are marked printed from issued, but not all of them were issued",
        ),
    ],
)
def test_a_book_that_was_tampered_with_is_found_out(path: Path, statement: str, problem: str) -> None:
    book = IssueBook(str(path))
    code_range = issued_range(book)
    book.mark([Interval(code_range, 1, 10)], PRINTED, 1)
    book.mark([Interval(code_range, 5, 8)], APPLIED, 1)
    book.mark_handed_out(code_range, 1)
    assert list(book.problems([KEY])) == []
    book.close()
    database = sqlite3.connect(path)
    triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    database.execute(statement.format(stranger=make_code(bytes(10), TagKey("other", bytes(32))).text))
    for _, sql in triggers:
        database.execute(sql)
    database.commit()
    database.close()
    book = IssueBook(str(path))
    problems = list(book.problems([KEY]))
    book.close()
    assert any(problem in found for found in problems), problems


def test_a_guard_that_was_taken_away_is_missed(path: Path) -> None:
    IssueBook(str(path)).close()
    database = sqlite3.connect(path)
    database.execute("DROP TRIGGER mark_no_DELETE")
    database.close()
    book = IssueBook(str(path))
    assert list(book.problems()) == ["the guard mark_no_DELETE is gone: rows may have been changed"]
    book.close()


def test_a_code_of_another_prefix_is_found_in_a_gs1_range(path: Path) -> None:
    book = IssueBook(str(path))
    code_range = book.open_range(None, RangeTerms.under(KEY, 2, "", Scheme.GIAI, "9520001"), 1)
    book.issue_step(code_range, KEY, os.urandom, 1)
    book.close()
    database = sqlite3.connect(path)
    database.execute("DROP TRIGGER issued_no_UPDATE")
    database.execute("UPDATE issued SET code = 'giai:9999999X' WHERE number = 2")
    database.commit()
    database.close()
    book = IssueBook(str(path))
    assert any("does not begin with 9520001 as its range does" in problem for problem in book.problems())
    book.close()


# ---------------------------------------------------------------- the command line


class Works:
    """A folder with a tag key and a book, and the command as its owner types it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.book, self._capsys = folder, folder / "book.sqlite", capsys
        (folder / "tag.key").write_text(format_tag_key(KEY))

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code and what was printed, on both streams."""
        self._capsys.readouterr()
        exit_code = main([*arguments, "--book", str(self.book)])
        printed = self._capsys.readouterr()
        return exit_code, printed.out + printed.err

    def issue(self, count: int, out: str, *more: str) -> list[dict[str, str]]:
        key, file = str(self.folder / "tag.key"), str(self.folder / out)
        assert self("issue", "--key", key, "--count", str(count), "--out", file, *more)[0] == 0
        return self.table(out)

    def table(self, out: str) -> list[dict[str, str]]:
        with (self.folder / out).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def shown(self, *more: str) -> dict[str, object]:
        exit_code, printed = self("book", "show", "--json", *more)
        assert exit_code == 0
        answer: dict[str, object] = json.loads(printed)
        return answer


@pytest.fixture
def works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Works:
    return Works(tmp_path, capsys)


def test_a_printer_works_through_a_range_until_every_code_is_used(works: Works) -> None:
    codes = works.issue(20, "codes.csv", "--to", "印刷厂甲")
    assert works("book", "codes", "--range", "range-0001", "--state", "issued", "--limit", "15", "--out",
                 str(works.folder / "box.csv"))[0] == 0  # fmt: skip
    assert works.table("box.csv") == codes[:15]
    assert works("book", "mark", "printed", "--codes", str(works.folder / "box.csv"))[0] == 0
    assert works("book", "mark", "applied", "--range", "range-0001", "--from", "1", "--to", "12")[0] == 0
    spoiled = codes[12]["human_text"]
    assert works("book", "mark", "void", "--code", spoiled, codes[13]["code"], "--note", "scratched")[0] == 0
    shown = works.shown("--range", "range-0001")
    assert [shown[head] for head in ("allotted", "to_issue", "issued", "unprinted", "printed", "applied", "void")] == [
        20, 0, 20, 5, 1, 12, 2,
    ]  # fmt: skip
    assert shown["runs"] == [
        {"first": 1, "last": 12, "state": "applied"},
        {"first": 13, "last": 14, "state": "void"},
        {"first": 15, "last": 15, "state": "printed"},
        {"first": 16, "last": 20, "state": "issued"},
    ]
    assert works("book", "check", "--key", str(works.folder / "tag.key"))[0] == 0


def test_the_account_is_a_table_with_heads_in_both_languages(works: Works) -> None:
    works.issue(20, "a.csv", "--to", "印刷厂甲")
    works.issue(30, "b.csv", "--to", "maker B", "--giai-prefix", "9520001")
    exit_code, printed = works("book", "show")
    lines = printed.splitlines()
    assert (exit_code, len(lines)) == (0, 5)
    assert lines[0].split() == ["号段", "分配给", "体系", "分配", "待发", "已发", "未印", "已印", "已贴", "作废"]
    assert lines[1].split() == ["range", "to", "scheme", "allotted", "to", "issue", "issued", "unprinted", "printed",
                                "applied", "void"]  # fmt: skip
    assert lines[2].split() == ["range-0001", "印刷厂甲", "own", "20", "0", "20", "20", "0", "0", "0"]
    assert lines[4].split() == ["total", "合计", "50", "0", "50", "50", "0", "0", "0"]


def test_a_spoiled_label_is_printed_again_from_the_book(works: Works) -> None:
    codes = works.issue(5, "codes.csv")
    again = str(works.folder / "again.csv")
    assert works("book", "codes", "--code", format_link(make_code(bytes(10), KEY)), "--out", again)[0] == 2
    assert not Path(again).exists()
    assert works("book", "codes", "--code", codes[3]["link"], codes[1]["code"], "--out", again)[0] == 0
    assert works.table("again.csv") == [codes[3], codes[1]]


def test_a_lost_file_is_written_again_to_the_last_letter(works: Works) -> None:
    works.issue(50, "codes.csv")
    assert works("book", "codes", "--range", "range-0001", "--out", str(works.folder / "again.csv"))[0] == 0
    assert (works.folder / "again.csv").read_bytes() == (works.folder / "codes.csv").read_bytes()


def test_a_code_is_looked_up_with_its_holder_number_and_marks(works: Works) -> None:
    codes = works.issue(5, "codes.csv", "--to", "印刷厂甲")
    works("book", "mark", "printed", "--range", "range-0001", "--all", "--note", "机台 2")
    exit_code, printed = works("book", "find", codes[2]["link"].lower())
    assert exit_code == 0
    assert "range 号段 range-0001, number 编号 3, to 分配给 印刷厂甲" in printed
    assert "printed (已印), with numbers 1 to 5: 机台 2" in printed
    exit_code, printed = works("book", "find", "--json", codes[2]["human_text"])
    found = json.loads(printed)
    assert (exit_code, found["number"], found["to"], found["state"]) == (0, 3, "印刷厂甲", "printed")


def test_a_code_that_was_not_issued_here_is_not_found(works: Works) -> None:
    works.issue(5, "codes.csv")
    exit_code, printed = works("book", "find", make_code(bytes(10), KEY).text)
    assert (exit_code, "was not issued from this book (本发码簿未发此码)" in printed) == (1, True)


def test_a_book_with_a_hole_is_checked_and_bad(works: Works) -> None:
    works.issue(20, "codes.csv")
    assert works("book", "check")[0] == 0
    database = sqlite3.connect(works.book)
    database.executescript("DROP TRIGGER issued_no_DELETE; DELETE FROM issued WHERE number = 4")
    database.close()
    exit_code, printed = works("book", "check")
    assert exit_code == 1
    assert "a hole, number 4 is missing" in printed
    assert "the guard issued_no_DELETE is gone" in printed


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("mark printed --range range-0001", "--range wants --from and --to, or --all"),
        ("mark printed --range range-0001 --from 1 --to 9", "has the numbers 1 to 5, so 1 to 9 cannot be marked"),
        ("mark printed --range nowhere --all", "has no range nowhere: `cylinder-codes book show` lists them"),
        ("mark applied --range range-0001 --all", "is not printed yet (未印) and cannot become applied"),
        ("mark printed --code 12345", "nothing was done"),
        ("mark printed --code {stranger}", "was not issued from this book; nothing was done"),
        ("mark printed --code {stranger} --all", "--from, --to and --all count within a range"),
        ("mark printed --codes {folder}/none.csv", "none.csv"),
        ("codes --range range-0001 --state void --out {folder}/v.csv", "the book has no such code, so nothing is"),
        ("codes --range range-0001 --from 4 --to 3 --out {folder}/v.csv", "nothing is written"),
        ("codes --range range-0001 --out {folder}/codes.csv", "is there already and is not overwritten"),
        ("codes --range range-0001 --out {folder}/none/v.csv", "is not a folder: make it first"),
        ("find 12345", "nothing was done"),
        ("check --key {folder}/none.key", "none.key"),
    ],
)  # fmt: skip
def test_what_the_book_cannot_do_is_one_sentence(works: Works, arguments: str, why: str) -> None:
    works.issue(5, "codes.csv")
    before = sorted(works.folder.iterdir())
    stranger = make_code(bytes(10), KEY).text
    exit_code, printed = works("book", *arguments.format(folder=works.folder, stranger=stranger).split())
    assert (exit_code, printed.count("\n")) == (2, 1)
    assert why in printed
    assert sorted(works.folder.iterdir()) == before
    assert works("book", "check")[0] == 0


def test_a_book_that_is_not_there_is_not_made_by_looking(works: Works) -> None:
    exit_code, printed = works("book", "show")
    assert (exit_code, "there is no issue book" in printed) == (2, True)
    assert not works.book.exists()


def test_a_name_that_no_line_can_hold_is_refused(works: Works, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("", "  ", "a\nb", "x" * 81, "a\x00"):
        with pytest.raises(SystemExit):
            works.issue(1, "c.csv", "--to", name)
        assert capsys.readouterr().err.count("\n") == 1
    assert not works.book.exists()


def test_a_holder_is_the_same_however_its_letters_are_composed(works: Works) -> None:
    works.issue(1, "a.csv", "--to", "Zu\u0308rich")
    assert works.shown()["ranges"][0]["to"] == "Z\u00fcrich"  # type: ignore[index]


def as_nobody_special() -> list[str]:
    """The words in front of a command that hold it to the permissions of files; nothing is forbidden to root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root without setpriv can write everything")
    return ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


def test_a_book_that_may_only_be_read_is_one_sentence(works: Works) -> None:
    works.issue(5, "codes.csv")
    database = sqlite3.connect(works.book)
    database.execute("PRAGMA journal_mode = DELETE")
    database.close()
    works.book.chmod(0o444)
    works.folder.chmod(0o555)
    command = [COMMAND, "book", "mark", "printed", "--range", "range-0001", "--all", "--book", str(works.book)]
    refused = subprocess.run([*as_nobody_special(), *command], capture_output=True, text=True, check=False)
    works.folder.chmod(0o755)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "it may only be read by you" in refused.stderr


def test_a_table_that_does_not_fit_on_the_disk_leaves_nothing_behind(works: Works) -> None:
    works.issue(3000, "codes.csv")
    before = sorted(works.folder.iterdir())
    out = works.folder / "again.csv"
    command = [COMMAND, "book", "codes", "--range", "range-0001", "--book", str(works.book), "--out", str(out)]
    limited = ["bash", "-c", 'ulimit -f 100; "$@"', "_", *command]
    full = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert (full.returncode, full.stdout, full.stderr.count("\n")) == (2, "", 1)
    assert f"{out}: File too large; nothing is left of it" in full.stderr
    assert sorted(works.folder.iterdir()) == before


# ---------------------------------------------------------------- pace and memory


def test_progress_tells_how_far_how_fast_and_how_long_still() -> None:
    assert pace_line("issued", 300_000, 1_000_000, 100_000, 6.0) == (
        "300,000 of 1,000,000 issued, 33,333 a second, 21 s to go"
    )
    assert pace_line("issued", 100_000, 1_000_000, 100_000, 6.0) == "100,000 of 1,000,000 issued, 0 a second, waiting"


COUNT_FOR_TWO_AND_A_HALF_SECONDS = """
import time
from cylinder_codes.commands.pace import progress
with progress("drawn", 25) as show:
    for done in range(1, 26):
        time.sleep(0.1)
        show(done)
"""


def test_progress_is_a_line_a_second_at_most() -> None:
    program = [sys.executable, "-c", COUNT_FOR_TWO_AND_A_HALF_SECONDS]
    began = time.monotonic()
    lines = subprocess.run(program, stderr=subprocess.PIPE, text=True, check=True).stderr.splitlines()
    assert 2 <= len(lines) <= time.monotonic() - began
    assert all(" of 25 drawn, " in line and line.endswith(" s to go") for line in lines)


def test_progress_on_a_terminal_is_one_line_that_is_wiped_at_the_end() -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", COUNT_FOR_TWO_AND_A_HALF_SECONDS], stderr=theirs, check=True)
        shown = ""
        while not shown.endswith("\r\x1b[K"):  # a terminal hands over what it has, not always all of it
            assert select.select([ours], [], [], 5)[0], f"the line is not wiped: {shown!r}"
            shown += os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "\n" not in shown
    assert shown.count(" of 25 drawn, ") >= 2


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_codes(works: Works) -> None:
    def peak_kib(count: int) -> int:
        out, book = works.folder / f"{count}.csv", works.folder / f"{count}.sqlite"
        program = (
            "import resource, sys; from cylinder_codes.cli import main; assert main(sys.argv[1:]) == 0;"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        files = ["--key", str(works.folder / "tag.key"), "--book", str(book), "--out", str(out)]
        run = subprocess.run([sys.executable, "-c", program, "issue", "--count", str(count), *files],
                             capture_output=True, text=True, check=True)  # fmt: skip
        return int(run.stdout.splitlines()[-1])

    assert peak_kib(60_000) - peak_kib(10_000) < 10_000  # SQLite's own pages, and nothing else
