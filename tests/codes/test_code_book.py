"""The issue book: no code twice, none missing, whatever kills the process, and nothing is ever taken back."""

import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.book.file import BookError
from cylinder_codes.book.issue_book import CODES_PER_STEP, IssueBook
from cylinder_codes.book.values import CodeRange, CodeState, Interval, RangeTerms
from cylinder_codes.commands.turn import issuing_alone
from cylinder_codes.identifiers import Code, make_code
from cylinder_codes.keys import format_tag_key
from cylinder_codes.schemes import Scheme

KEY = TagKey("works", bytes(range(32)))
COMMAND = str(Path(sys.executable).with_name("cylinder-codes"))
GRAI_TYPE = "952000112345"
GIAI_PREFIX = "9520001"


class CountingBytes:
    """A source of bytes that never repeats itself and is the same in every run."""

    def __init__(self) -> None:
        self.drawn = 0

    def __call__(self, count: int) -> bytes:
        self.drawn += 1
        return (self.drawn << 8).to_bytes(count, "big")  # a sealed code leaves out the last bits


def terms(allotted: int, holder: str = "", scheme: Scheme = Scheme.OWN, prefix: str = "") -> RangeTerms:
    return RangeTerms.under(KEY, allotted, holder, scheme, prefix)


def issue_whole(book: IssueBook, code_range: CodeRange, random_bytes: Callable[[int], bytes]) -> CodeRange:
    while not code_range.complete:
        code_range = book.issue_step(code_range, KEY, random_bytes, issued_at=2)
    return code_range


def book_says(path: Path) -> dict[str, int]:
    database = sqlite3.connect(path)
    rows = database.execute(
        "SELECT name, count(*) FROM issued JOIN code_range USING (range_no) GROUP BY name"
    ).fetchall()
    database.close()
    return dict(rows)


def test_a_range_holds_as_many_codes_as_were_allotted_numbered_from_one(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    code_range = issue_whole(book, book.open_range(None, terms(6789), opened_at=1), CountingBytes())
    lines = list(book.codes_of(code_range))
    book.close()
    assert [line.number for line in lines] == list(range(1, 6790))
    assert len({line.code for line in lines}) == 6789
    assert all(tag_is_genuine(line.code, KEY) for line in lines)


def test_a_range_is_allotted_to_a_maker_or_printer(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    book.open_range(None, terms(10, "印刷厂甲"), opened_at=1)
    book.open_range(None, terms(10, "maker B"), opened_at=2)
    assert [(r.name, r.terms.holder) for r in book.ranges()] == [("range-0001", "印刷厂甲"), ("range-0002", "maker B")]
    book.close()


def test_an_unfinished_range_is_taken_up_again_by_the_same_request(tmp_path: Path) -> None:
    path, random_bytes = str(tmp_path / "book.sqlite"), CountingBytes()
    book = IssueBook(path)
    book.issue_step(book.open_range(None, terms(12_000), opened_at=1), KEY, random_bytes, issued_at=1)
    book.close()
    book = IssueBook(path)
    again = book.open_range(None, terms(12_000), opened_at=9)
    assert (again.name, again.issued) == ("range-0001", CODES_PER_STEP)
    whole = issue_whole(book, again, random_bytes)
    assert book.unfinished() == [whole]
    book.mark_handed_out(whole, handed_out_at=9)
    assert book.unfinished() == []
    assert book.open_range(None, terms(12_000), opened_at=10).name == "range-0002"
    book.close()


def test_a_request_on_other_terms_does_not_enter_a_range(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    book.open_range("plates", terms(10, "printer A"), opened_at=1)
    with pytest.raises(BookError, match="opened for 10 codes, not 11"):
        book.open_range("plates", terms(11, "printer A"), opened_at=1)
    with pytest.raises(BookError, match="opened with the key works"):
        book.open_range("plates", RangeTerms.under(TagKey("works", bytes(32)), 10, "printer A"), opened_at=1)
    with pytest.raises(BookError, match="opened for printer A, OWN, not printer B, OWN"):
        book.open_range("plates", terms(10, "printer B"), opened_at=1)
    for other in (terms(11), terms(10), terms(10, "printer A", Scheme.GRAI, GRAI_TYPE)):
        assert book.open_range(None, other, opened_at=1).name != "plates"
    book.close()


def test_a_range_that_was_handed_out_is_not_handed_out_again_by_its_name(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    book.mark_handed_out(issue_whole(book, book.open_range("plates", terms(10), 1), CountingBytes()), 2)
    with pytest.raises(BookError, match="`cylinder-codes book codes --range plates` writes its codes again"):
        book.open_range("plates", terms(10), opened_at=3)
    book.close()


@pytest.mark.parametrize(
    ("scheme", "prefix", "begins"),
    [(Scheme.GRAI, GRAI_TYPE, f"grai:0{GRAI_TYPE}"), (Scheme.GIAI, GIAI_PREFIX, f"giai:{GIAI_PREFIX}")],
)
def test_codes_under_a_gs1_prefix_are_sealed(tmp_path: Path, scheme: Scheme, prefix: str, begins: str) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    code_range = book.open_range(None, terms(100, "maker", scheme, prefix), opened_at=1)
    codes = [line.code for line in book.codes_of(issue_whole(book, code_range, os.urandom))]
    assert len(codes) == 100
    assert all(code.text.startswith(begins) and tag_is_genuine(code, KEY) for code in codes)
    assert list(book.problems([KEY])) == []
    book.close()


def test_a_sealed_code_that_is_in_the_book_already_is_drawn_again(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    draws = (bytes([0, 0, 0, 0, draw // 3, 0]) for draw in range(1000))  # each code three times over
    sealed = terms(50, "", Scheme.GIAI, GIAI_PREFIX)
    code_range = issue_whole(book, book.open_range(None, sealed, opened_at=1), lambda _: next(draws))
    lines = list(book.codes_of(code_range))
    assert [line.number for line in lines] == list(range(1, 51))
    assert len({line.code for line in lines}) == 50
    book.close()


@pytest.mark.parametrize(("scheme", "prefix"), [(Scheme.OWN, ""), (Scheme.GRAI, GRAI_TYPE)])
def test_a_random_source_that_repeats_itself_stops_the_issuing(tmp_path: Path, scheme: Scheme, prefix: str) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    code_range = book.open_range(None, terms(10, "", scheme, prefix), opened_at=1)
    with pytest.raises(BookError, match="in the book already"):
        book.issue_step(code_range, KEY, bytes, issued_at=1)
    assert book.unfinished() == [code_range]
    book.close()


def test_two_processes_on_one_range_issue_it_once(tmp_path: Path) -> None:
    path, random_bytes = str(tmp_path / "book.sqlite"), CountingBytes()
    IssueBook(path).close()

    def work() -> None:
        book = IssueBook(path)
        issue_whole(book, book.open_range("shared", terms(20_000), opened_at=1), random_bytes)
        book.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book_says(Path(path)) == {"shared": 20_000}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM issued",
        "UPDATE issued SET number = number + 1",
        "DELETE FROM code_range",
        "UPDATE code_range SET holder = 'me'",
        "DELETE FROM mark",
        "UPDATE mark SET was = 'issued'",
        "DELETE FROM handed_out",
    ],
)
def test_the_book_only_grows(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "book.sqlite"
    book = IssueBook(str(path))
    code_range = issue_whole(book, book.open_range(None, terms(5), opened_at=1), CountingBytes())
    book.mark([Interval(code_range, 1, 3)], CodeState.PRINTED, 1)
    book.mark_handed_out(code_range, 1)
    book.close()
    database = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)
    database.close()


# ---------------------------------------------------------------- files that are no book, or were one


def test_a_file_that_is_no_issue_book_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.sqlite"
    text.write_text("not a database, and long enough to be looked at as one\n" * 20)
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE customers (name TEXT)")
    database.commit()
    database.close()
    before = text.read_bytes(), other.read_bytes()
    for path, why in (
        (text, "not a database"),
        (other, "another program's"),
        (tmp_path / "no/book", "its own folder is not there"),
        (tmp_path, "it is a folder"),
    ):
        with pytest.raises(BookError, match=why):
            IssueBook(str(path))
    assert (text.read_bytes(), other.read_bytes()) == before


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_book_that_was_cut_short_is_said_to_be_damaged(tmp_path: Path, share: float) -> None:
    path = tmp_path / "book.sqlite"
    book = IssueBook(str(path))
    issue_whole(book, book.open_range(None, terms(3000), opened_at=1), CountingBytes())
    book.close()
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(BookError, match="damaged, cut short or overwritten"):
        IssueBook(str(path)).ranges()


def test_a_book_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    IssueBook(str(path)).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(BookError, match="newer cylinder-codes"):
        IssueBook(str(path))


OLD_SCHEMA = """
PRAGMA application_id = 1347175234;
CREATE TABLE batch (
    batch_id TEXT PRIMARY KEY,
    asked INTEGER NOT NULL CHECK (asked > 0),
    key_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    opened_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE issued (
    code TEXT PRIMARY KEY,
    batch_id TEXT NOT NULL REFERENCES batch,
    number INTEGER NOT NULL CHECK (number > 0),
    issued_at INTEGER NOT NULL,
    UNIQUE (batch_id, number)
) WITHOUT ROWID;
CREATE TABLE handed_out (
    batch_id TEXT PRIMARY KEY REFERENCES batch,
    handed_out_at INTEGER NOT NULL
) WITHOUT ROWID;
"""


def old_book(path: Path) -> list[str]:
    """Make a book as the first version kept it: two ranges, the second unfinished; return the codes of both."""
    codes = [make_code(bytes([0] * 8 + [1, n]), KEY).text for n in range(9)]
    database = sqlite3.connect(path)
    database.executescript(OLD_SCHEMA)
    for table in ("batch", "issued", "handed_out"):
        for act in ("UPDATE", "DELETE"):
            body = "BEGIN SELECT RAISE(ABORT, 'the issue book is append-only'); END"
            database.execute(f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table} {body}")
    rows = [("plates", 5, "works", KEY.key_id.hex(), 20), ("batch-0001", 10, "works", KEY.key_id.hex(), 30)]
    database.executemany("INSERT INTO batch VALUES (?, ?, ?, ?, ?)", rows)
    names = ["plates"] * 5 + ["batch-0001"] * 4
    numbers = [1, 2, 3, 4, 5, 1, 2, 3, 4]
    database.executemany("INSERT INTO issued VALUES (?, ?, ?, 7)", zip(codes, names, numbers, strict=True))
    database.execute("INSERT INTO handed_out VALUES ('plates', 40)")
    database.commit()
    database.close()
    return codes


def test_a_book_of_the_first_version_is_carried_over_whole(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    codes = old_book(path)
    book = IssueBook(str(path))
    plates, second = book.ranges()
    assert (plates.name, plates.terms, plates.opened_at, plates.handed_out) == ("plates", terms(5), 20, True)
    assert (second.name, second.issued, second.handed_out) == ("batch-0001", 4, False)
    assert [line.code.text for r in (plates, second) for line in book.codes_of(r)] == codes
    assert list(book.problems([KEY])) == []
    again = book.open_range(None, terms(10), opened_at=50)
    assert issue_whole(book, again, os.urandom).name == "batch-0001"
    book.close()
    database = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute("DELETE FROM issued")
    database.close()


def test_a_book_that_cannot_be_carried_over_stays_the_old_book(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    old_book(path)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE mark (a)")  # in the way of the new one
    database.close()
    with pytest.raises(BookError, match="mark already exists"):
        IssueBook(str(path))
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM batch").fetchone() == (2,)
    assert database.execute("SELECT count(*) FROM issued WHERE batch_id = 'plates'").fetchone() == (5,)
    database.close()


# ---------------------------------------------------------------- kills, and two at once


def issue_command(folder: Path, count: int, out: str = "codes.csv") -> list[str]:
    key = folder / "tag.key"
    if not key.exists():
        key.write_text(format_tag_key(KEY))
    files = ["--key", str(key), "--book", str(folder / "book.sqlite"), "--out", str(folder / out)]
    return [COMMAND, "issue", "--json", "--count", str(count), *files]


def table_in(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def codes_in(book: Path) -> set[str]:
    if not book.exists():
        return set()
    database = sqlite3.connect(f"file:{book}?mode=ro", uri=True, timeout=30)
    try:
        return {code for (code,) in database.execute("SELECT code FROM issued")}
    except sqlite3.OperationalError:
        return set()  # just made, no tables yet
    finally:
        database.close()


def kill_once_more_is_issued(command: list[str], book: Path, before: int) -> None:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 30
        while len(codes_in(book)) == before and time.monotonic() < until:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_killed_while_issuing_the_same_command_finishes_without_duplicate_or_hole(tmp_path: Path) -> None:
    allotted = 40_000
    command, book, out = issue_command(tmp_path, allotted), tmp_path / "book.sqlite", tmp_path / "codes.csv"
    seen: set[str] = set()
    for _ in range(3):
        kill_once_more_is_issued(command, book, len(seen))
        assert not out.exists()
        survived = codes_in(book)
        assert seen < survived
        assert len(survived) < allotted
        seen = survived
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (report["allotted"], report["issued"]) == (allotted, allotted)
    assert report["issued_before"] >= len(seen)
    lines = table_in(out)
    assert [int(line["number"]) for line in lines] == list(range(1, allotted + 1))
    assert seen < {line["code"] for line in lines} == codes_in(book)
    assert all(tag_is_genuine(Code(line["code"]), KEY) for line in lines[:100])


@pytest.mark.slow
def test_killed_at_any_moment_a_range_of_20_000_has_neither_duplicate_nor_hole(tmp_path: Path) -> None:
    command, out, chance = issue_command(tmp_path, 20_000), tmp_path / "codes.csv", random.Random()
    began = time.monotonic()
    subprocess.run(issue_command(tmp_path, 20_000, "first.csv"), capture_output=True, check=True)
    whole_run = time.monotonic() - began
    for _ in range(8):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0, whole_run))
            process.kill()
        if out.exists():  # whole, though the process may not have lived to say so
            assert len(table_in(out)) == 20_000
    after = subprocess.run(command, capture_output=True, text=True, check=False)
    assert after.returncode == 0 or "codes.csv is there already" in after.stderr
    lines = table_in(out)
    assert [int(line["number"]) for line in lines] == list(range(1, 20_001))
    codes = {line["code"] for line in lines} | {line["code"] for line in table_in(tmp_path / "first.csv")}
    assert len(codes) == 40_000
    assert codes == codes_in(tmp_path / "book.sqlite")
    assert book_says(tmp_path / "book.sqlite") == {"range-0001": 20_000, "range-0002": 20_000}
    book = IssueBook(str(tmp_path / "book.sqlite"))
    assert book.unfinished() == []
    assert list(book.problems([KEY])) == []
    book.close()


def test_killed_before_its_file_was_written_a_range_is_handed_out_by_the_same_command(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    issue_whole(book, book.open_range(None, terms(30), opened_at=1), CountingBytes())
    book.close()
    first = json.loads(subprocess.run(issue_command(tmp_path, 30), capture_output=True, check=True).stdout)
    assert (first["range"], first["issued_before"]) == ("range-0001", 30)
    assert len(table_in(tmp_path / "codes.csv")) == 30
    second = json.loads(subprocess.run(issue_command(tmp_path, 30, "more.csv"), capture_output=True, check=True).stdout)
    assert (second["range"], second["issued_before"]) == ("range-0002", 0)


def test_killed_after_its_file_was_written_the_same_command_says_that_it_is_whole(tmp_path: Path) -> None:
    command, path, out = issue_command(tmp_path, 30), tmp_path / "book.sqlite", tmp_path / "codes.csv"
    subprocess.run(command, capture_output=True, check=True)
    database = sqlite3.connect(path)  # as if the last row had not been written any more
    database.executescript("DROP TRIGGER handed_out_no_DELETE; DELETE FROM handed_out")
    database.close()
    written = out.read_bytes()
    report = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (report["range"], report["issued_before"]) == ("range-0001", 30)
    assert out.read_bytes() == written
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2  # handed out: never again


def test_two_commands_alike_started_together_share_no_code(tmp_path: Path) -> None:
    commands = [issue_command(tmp_path, 20_000, out) for out in ("a.csv", "b.csv", "c.csv")]
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in commands]
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert {json.loads(report)["range"] for report, _ in said} == {"range-0001", "range-0002", "range-0003"}
    codes = [line["code"] for out in ("a.csv", "b.csv", "c.csv") for line in table_in(tmp_path / out)]
    assert len(set(codes)) == len(codes) == 60_000


def test_a_command_says_that_it_waits_while_another_process_issues(tmp_path: Path) -> None:
    with issuing_alone(tmp_path / "book.sqlite"):
        command = issue_command(tmp_path, 5)
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == f"waiting: another process is issuing from {tmp_path / 'book.sqlite'}\n"
        assert not (tmp_path / "codes.csv").exists()
    _, errors = waiting.communicate(timeout=60)
    assert (waiting.returncode, errors) == (0, "")
    assert len(table_in(tmp_path / "codes.csv")) == 5


def test_a_disk_that_is_full_is_one_sentence_and_the_same_command_goes_on_later(tmp_path: Path) -> None:
    command = issue_command(tmp_path, 5_000)
    limited = ["bash", "-c", 'ulimit -f 200; "$@"', "_", *command]
    full = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert (full.returncode, full.stdout, full.stderr.count("\n")) == (2, "", 1)
    assert "make room" in full.stderr
    subprocess.run(command, capture_output=True, check=True)
    assert len(table_in(tmp_path / "codes.csv")) == 5_000
    assert book_says(tmp_path / "book.sqlite") == {"range-0001": 5_000}


# ---------------------------------------------------------------- the issuer's folder


def in_folder(
    folder: Path, *arguments: str, passphrase: str = "seven gas cylinders"
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CYLINDER_CODES_PASSPHRASE": passphrase}
    return subprocess.run(
        [COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_on_first_use_keys_and_book_are_made_and_kept_in_the_issuers_folder(tmp_path: Path) -> None:
    first = in_folder(tmp_path, "issue", "--count", "100", "--out", "codes.csv")
    assert (first.returncode, first.stdout) == (0, "range-0001, own use (自用): 100 codes are in codes.csv\n")
    assert first.stderr.count("\n") == 1
    assert book_says(tmp_path / "issuer" / "book.sqlite") == {"range-0001": 100}
    second = in_folder(tmp_path, "issue", "--count", "100", "--to", "印刷厂甲", "--out", "more.csv")
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout == "range-0002, 印刷厂甲: 100 codes are in more.csv\n"
    assert in_folder(tmp_path, "book", "check", "--tags").returncode == 0
    assert len({line["code"] for out in ("codes.csv", "more.csv") for line in table_in(tmp_path / out)}) == 200


def test_key_and_book_may_lie_elsewhere(tmp_path: Path) -> None:
    assert in_folder(tmp_path, "keygen", "--kind", "tag", "--name", "works-2026", "--out", "tag.key").returncode == 0
    files = ("--key", "tag.key", "--book", "book.sqlite")
    assert in_folder(tmp_path, "issue", "--count", "5", "--out", "codes.csv", *files).returncode == 0
    checked = in_folder(tmp_path, "book", "check", *files)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "every tag is genuine (防伪标签相符)" in checked.stdout
    assert not (tmp_path / "issuer").exists()


def test_no_code_is_issued_with_a_wrong_passphrase(tmp_path: Path) -> None:
    in_folder(tmp_path, "issue", "--count", "5", "--out", "codes.csv")
    wrong = in_folder(tmp_path, "issue", "--count", "5", "--out", "more.csv", passphrase="eight gas cylinders")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    assert not (tmp_path / "more.csv").exists()
    assert book_says(tmp_path / "issuer" / "book.sqlite") == {"range-0001": 5}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("--grai-type 95", "argument --grai-type: "),
        ("--grai-type 95200011234X", "argument --grai-type: "),
        ("--giai-prefix 123", "argument --giai-prefix: "),
        ("--giai-prefix 9520001 --grai-type 952000112345", "not allowed with argument"),
        ("--issuer codes.csv", "is there and no issuer's folder"),
        ("--issuer none/issuer", "is not a folder: make it first"),
        ("--key none.key", "none.key"),
    ],
)
def test_terms_that_no_code_suits_open_no_range(tmp_path: Path, arguments: str, why: str) -> None:
    in_folder(tmp_path, "issue", "--count", "5", "--out", "codes.csv")
    refused = in_folder(tmp_path, "issue", "--count", "5", "--out", "more.csv", *arguments.split())
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert why in refused.stderr
    assert book_says(tmp_path / "issuer" / "book.sqlite") == {"range-0001": 5}
