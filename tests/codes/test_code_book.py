"""The issue book: no code twice, none missing, whatever kills the process, and nothing is ever taken back."""

import csv
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.book import Batch, BookError, IssueBook
from cylinder_codes.identifiers import parse_code
from cylinder_codes.keys import format_tag_key

KEY = TagKey("works", bytes(range(32)))
COMMAND = str(Path(sys.executable).with_name("cylinder-codes"))


class CountingBytes:
    """A source of bytes that never repeats itself and is the same in every run."""

    def __init__(self) -> None:
        self.drawn = 0

    def __call__(self, count: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(count, "big")


def issue_whole(book: IssueBook, batch: Batch, random_bytes: CountingBytes) -> Batch:
    while not batch.complete:
        batch = book.issue_step(batch, KEY, random_bytes, issued_at=2)
    return batch


def book_says(path: Path) -> dict[str, int]:
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT batch_id, count(*) FROM issued GROUP BY batch_id").fetchall()
    database.close()
    return dict(rows)


def test_a_batch_holds_as_many_codes_as_were_asked_numbered_from_one(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    batch = issue_whole(book, book.open_batch(None, 4321, KEY, opened_at=1), CountingBytes())
    lines = list(book.codes_of(batch.batch_id))
    book.close()
    assert [line.number for line in lines] == list(range(1, 4322))
    assert len({line.code for line in lines}) == 4321
    assert all(tag_is_genuine(line.code, KEY) for line in lines)


def test_an_unfinished_batch_is_taken_up_again_by_the_same_request(tmp_path: Path) -> None:
    path, random_bytes = str(tmp_path / "book.sqlite"), CountingBytes()
    book = IssueBook(path)
    book.issue_step(book.open_batch(None, 5000, KEY, opened_at=1), KEY, random_bytes, issued_at=1)
    book.close()
    book = IssueBook(path)
    again = book.open_batch(None, 5000, KEY, opened_at=9)
    assert (again.batch_id, again.issued) == ("batch-0001", 2000)
    whole = issue_whole(book, again, random_bytes)
    assert book.unfinished() == [whole]
    book.mark_handed_out(whole, handed_out_at=9)
    assert book.unfinished() == []
    assert book.open_batch(None, 5000, KEY, opened_at=10).batch_id == "batch-0002"
    book.close()


def test_a_request_of_another_size_or_key_does_not_enter_a_batch(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    book.open_batch("plates", 10, KEY, opened_at=1)
    with pytest.raises(BookError, match="opened for 10 codes, not 11"):
        book.open_batch("plates", 11, KEY, opened_at=1)
    with pytest.raises(BookError, match="opened with the key works"):
        book.open_batch("plates", 10, TagKey("works", bytes(32)), opened_at=1)
    assert book.open_batch(None, 11, KEY, opened_at=1).batch_id == "batch-0002"
    book.close()


def test_two_processes_on_one_batch_issue_it_once(tmp_path: Path) -> None:
    path, random_bytes = str(tmp_path / "book.sqlite"), CountingBytes()
    IssueBook(path).close()

    def work() -> None:
        book = IssueBook(path)
        issue_whole(book, book.open_batch("shared", 9000, KEY, opened_at=1), random_bytes)
        book.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book_says(Path(path)) == {"shared": 9000}


def test_a_random_source_that_repeats_itself_stops_the_issuing(tmp_path: Path) -> None:
    book = IssueBook(str(tmp_path / "book.sqlite"))
    batch = book.open_batch(None, 10, KEY, opened_at=1)
    with pytest.raises(BookError, match="in the book already"):
        book.issue_step(batch, KEY, bytes, issued_at=1)
    assert book.unfinished() == [batch]
    book.close()


@pytest.mark.parametrize(
    "statement", ["DELETE FROM issued", "UPDATE issued SET number = number + 1", "DELETE FROM batch"]
)
def test_the_book_only_grows(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "book.sqlite"
    book = IssueBook(str(path))
    issue_whole(book, book.open_batch(None, 5, KEY, opened_at=1), CountingBytes())
    book.close()
    database = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)
    database.close()


def test_a_file_that_is_no_issue_book_is_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.sqlite"
    text.write_text("not a database, and long enough to be looked at as one\n" * 20)
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE customers (name TEXT)")
    database.commit()
    database.close()
    before = text.read_bytes(), other.read_bytes()
    for path, why in ((text, "not a database"), (other, "another program's"), (tmp_path / "no/book", "unable to open")):
        with pytest.raises(BookError, match=why):
            IssueBook(str(path))
    assert (text.read_bytes(), other.read_bytes()) == before


def test_killed_while_issuing_the_same_command_finishes_without_duplicate_or_hole(tmp_path: Path) -> None:
    asked = 40_000
    key_file, book, out = tmp_path / "tag.key", tmp_path / "book.sqlite", tmp_path / "codes.csv"
    key_file.write_text(format_tag_key(KEY))
    command = [COMMAND, "issue", "--json", "--key", str(key_file)]
    command += ["--count", str(asked), "--book", str(book), "--out", str(out)]
    seen: set[str] = set()
    for _ in range(3):
        kill_after_a_step(command, book, len(seen))
        assert not out.exists()
        survived = codes_in(book)
        assert seen < survived
        assert len(survived) < asked
        seen = survived
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(run.stdout)
    assert (report["asked"], report["issued"]) == (asked, asked)
    assert report["issued_before"] >= len(seen)
    with out.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["number"]) for line in lines] == list(range(1, asked + 1))
    assert seen < {line["code"] for line in lines} == codes_in(book)
    assert all(tag_is_genuine(parse_code(line["code"]), KEY) for line in lines[:100])


def test_killed_before_its_file_was_written_a_batch_is_handed_out_by_the_same_command(tmp_path: Path) -> None:
    key_file, path, out = tmp_path / "tag.key", tmp_path / "book.sqlite", tmp_path / "codes.csv"
    key_file.write_text(format_tag_key(KEY))
    book = IssueBook(str(path))
    issue_whole(book, book.open_batch(None, 30, KEY, opened_at=1), CountingBytes())
    book.close()
    command = [COMMAND, "issue", "--json", "--key", str(key_file), "--count", "30", "--book", str(path), "--out"]
    first = json.loads(subprocess.run([*command, str(out)], capture_output=True, check=True).stdout)
    assert (first["batch_id"], first["issued_before"]) == ("batch-0001", 30)
    assert len(out.read_text().splitlines()) == 31
    second = json.loads(subprocess.run([*command, f"{out}2"], capture_output=True, check=True).stdout)
    assert (second["batch_id"], second["issued_before"]) == ("batch-0002", 0)


def kill_after_a_step(command: list[str], book: Path, before: int) -> None:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 30
        while len(codes_in(book)) == before and time.monotonic() < until:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


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
