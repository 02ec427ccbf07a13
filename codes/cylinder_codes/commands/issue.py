"""``cylinder-codes issue``: new codes into a book and a CSV file."""

import argparse
import csv
import os
import secrets
from pathlib import Path
from typing import Any

from cylinder_codes.authenticity import TagKey
from cylinder_codes.book import Batch, IssueBook
from cylinder_codes.commands.common import (
    GOOD,
    CannotCheck,
    add_command,
    add_host,
    now_ms,
    positive,
    progress,
    read_key,
    require_free,
    say,
)
from cylinder_codes.digital_link import format_link
from cylinder_codes.identifiers import format_code_human
from cylinder_codes.keys import parse_tag_key


def _issue(options: argparse.Namespace) -> int:
    key = read_key(options.key, parse_tag_key)
    if not options.out.parent.is_dir():
        raise CannotCheck(f"{options.out.parent} is not a folder: make it first")
    require_free(options.out)
    book = IssueBook(str(options.book))
    try:
        batch = book.open_batch(options.batch, options.count, key, now_ms())
        issued_before = batch.issued
        batch = _issue_all(book, batch, key)
        _write_codes(options.out, book, batch, options.host)
        book.mark_handed_out(batch, now_ms())  # a kill before this line: the same command says the file is there
    finally:
        book.close()
    resumed = f" ({issued_before} of them in an earlier run)" if issued_before else ""
    say(options, f"{batch.batch_id}: {batch.issued} codes{resumed} are in {options.out}",
         batch_id=batch.batch_id, asked=batch.asked, issued=batch.issued,
         issued_before=issued_before, out=str(options.out))  # fmt: skip
    return GOOD


def _issue_all(book: IssueBook, batch: Batch, key: TagKey) -> Batch:
    with progress("issued", batch.asked) as show:
        while not batch.complete:
            batch = book.issue_step(batch, key, secrets.token_bytes, now_ms())
            show(batch.issued)
    return batch


def _write_codes(out: Path, book: IssueBook, batch: Batch, host: str) -> None:
    unfinished = out.with_name(out.name + ".part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("number", "code", "human_text", "link", "batch_id", "issued_at"))
        for line in book.codes_of(batch.batch_id):
            human_text, link = format_code_human(line.code), format_link(line.code, host).upper()
            table.writerow((line.number, line.code.text, human_text, link, batch.batch_id, line.issued_at))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(out)  # a reader of the CSV never meets half of it


def add_to(commands: Any) -> None:
    command = add_command(
        commands, "issue", _issue, "issue new codes into a book and a CSV file",
        "After a kill or a power cut the same command goes on where it was: no code twice, none missing.",
        example="--key tag.key --count 100 --book book.sqlite --out codes.csv",
    )  # fmt: skip
    command.add_argument("--key", type=Path, required=True, help="file of the tag key (keygen --kind tag)")
    command.add_argument("--count", type=positive, required=True, help="how many codes")
    command.add_argument("--book", type=Path, required=True, help="the issue book (SQLite); made when not there")
    command.add_argument("--out", type=Path, required=True, help="CSV file for the codes of this batch")
    command.add_argument("--batch", help="name of the batch (default: the unfinished one, or the next number)")
    add_host(command)
