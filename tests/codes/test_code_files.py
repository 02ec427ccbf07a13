"""One table of codes (码表) is read alike by every command that takes one."""

from pathlib import Path

import pytest

from cylinder_codes import cli
from cylinder_codes.book.issue_book import IssueBook
from cylinder_codes.book.values import CodeState

HOLDER = "Example Works, Hall 3"


@pytest.fixture
def issued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three codes of a new book in the present folder."""
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", "only for this test")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["issue", "--count", "3", "--out", "issued.csv"]) == 0
    return [line.split(",")[1] for line in Path("issued.csv").read_text().splitlines()[1:]]


def as_a_spreadsheet_saves_it(codes: list[str], header: str) -> None:
    """Byte order mark, a quoted name with commas and a quote in it before the code, an empty row at the end."""
    rows = "".join(f'"{HOLDER}, ""B""",{code}\r\n' for code in codes)
    Path("codes.csv").write_text(f"\ufeff{header}\r\n{rows},\r\n", encoding="utf-8", newline="")


@pytest.mark.parametrize("header", ["holder,code", "持有单位,气瓶码", "单位, 码 ", "Company,CODE"])
def test_quoted_commas_and_chinese_headers_are_understood_by_every_command(issued: list[str], header: str) -> None:
    as_a_spreadsheet_saves_it(issued, header)
    assert cli.main(["label", "--codes", "codes.csv", "--out", "labels"]) == 0
    assert cli.main(["sheet", "codes.csv", "--out", "sheet.pdf"]) == 0
    assert cli.main(["zpl", "codes.csv", "--out", "labels.zpl"]) == 0
    assert cli.main(["book", "mark", "printed", "--codes", "codes.csv"]) == 0
    assert {path.stem for path in Path("labels").iterdir()} == set(issued)
    assert Path("labels.zpl").read_text().count("^XA") == len(issued)
    book = IssueBook("issuer/book.sqlite")
    assert book.account(book.ranges()[0]).by_state[CodeState.PRINTED] == len(issued)
    book.close()


@pytest.mark.parametrize(
    "command",
    [
        ["label", "--codes", "codes.csv", "--out", "labels"],
        ["sheet", "codes.csv", "--out", "sheet.pdf"],
        ["zpl", "codes.csv", "--out", "labels.zpl"],
        ["book", "mark", "printed", "--codes", "codes.csv"],
    ],
    ids=lambda command: command[0],
)
def test_a_table_without_a_code_and_a_row_that_is_none_are_refused_alike(
    issued: list[str], command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    as_a_spreadsheet_saves_it([], "holder,code")
    assert cli.main(command) == 2
    assert "codes.csv: no code in it" in capsys.readouterr().err
    as_a_spreadsheet_saves_it([issued[0], "nonsense"], "holder,code")
    assert cli.main(command) == 2
    assert "codes.csv, line 3: " in capsys.readouterr().err
    assert sorted(path.name for path in Path().iterdir()) == ["codes.csv", "issued.csv", "issuer"]
