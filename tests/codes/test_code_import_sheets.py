"""What really arrives: workbooks of many sheets, numbers from before, bombs; and bad rows handed back to be mended."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import openpyxl
import pytest
from test_code_importing import CHINESE, CODES, csv_of, line, xlsx_of

from cylinder_codes import tables
from cylinder_codes.cli import main
from cylinder_codes.importing import BAD_ROW_HEADERS, CylinderTable, bad_rows, parse_cylinder_table
from cylinder_codes.tables import TableError, read_sheets, write_csv, write_xlsx

WRITERS = {"csv": write_csv, "xlsx": write_xlsx}


def without(*headers: str) -> list[int]:
    return [place for place, header in enumerate(CHINESE) if header not in headers]


def book_of(sheets: Mapping[str, Sequence[Sequence[object]]], hidden: Iterable[str] = ()) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in rows:
            sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


# --- numbers from before ------------------------------------------------------------------------------------


def test_numbers_from_before_become_further_names_of_the_cylinder() -> None:
    headers = [*CHINESE, "省级气瓶编号", "使用登记代码", "RFID TID", "制造单位编码"]
    cells = [*line(0), " 粤a 0001 ", "333010A00001", "e280 1160", "HZ-LPG-00123"]
    (row,) = parse_cylinder_table(csv_of(headers, cells), "a.csv").rows
    assert row.aliases == (
        "province:粤A0001", "registration:333010A00001", "tid:E2801160", "maker:HZ-LPG-00123", "stamp:C27|2019-03|000",
    )  # fmt: skip
    assert row.codes == (CODES[0].text, *row.aliases)
    assert row.registration_no == "333010A00001"


def test_a_table_without_codes_is_taken_by_the_numbers_from_before() -> None:
    kept = without("气瓶条码", "制造年月")
    headers, cells = [CHINESE[place] for place in kept], [line(0)[place] for place in kept]
    (row,) = parse_cylinder_table(csv_of([*headers, "省级气瓶编号"], [*cells, "ZJ1"]), "a.csv").rows
    assert (row.code, row.codes) == (None, ("province:ZJ1",))


def test_a_table_without_any_number_is_taken_by_the_stamp() -> None:
    (row,) = parse_cylinder_table(csv_of(CHINESE[1:], line(0)[1:]), "a.csv").rows
    assert row.codes == ("stamp:C27|2019-03|000",)


def test_a_row_by_which_no_cylinder_could_be_found_is_told() -> None:
    table = parse_cylinder_table(csv_of(CHINESE[1:], line(0, 制造年月="")[1:]), "a.csv")
    assert "no month of making" in table.errors[0].what


def test_the_code_may_be_missing_in_a_row_that_has_a_number_from_before() -> None:
    headers = [*CHINESE, "芯片号"]
    table = parse_cylinder_table(csv_of(headers, [*line(0, 气瓶条码=""), "E2"], [*line(1, 气瓶条码=""), ""]), "a.csv")
    assert [row.codes[0] for row in table.rows] == ["tid:E2"]
    assert [(error.row_number, error.column) for error in table.errors] == [(3, "气瓶条码")]


@pytest.mark.parametrize(
    ("header", "text"), [("RFID TID", "x" * 81), ("省级气瓶编号", "1.2E+17"), ("芯片号", "a\u200bb")]
)
def test_a_number_from_before_that_is_none_is_named(header: str, text: str) -> None:
    (error,) = parse_cylinder_table(csv_of([*CHINESE, header], [*line(0), text]), "a.csv").errors
    assert error.column == header


def test_two_rows_with_one_number_from_before_are_one_cylinder_told_twice() -> None:
    headers = [*CHINESE, "省级气瓶编号"]
    (error,) = parse_cylinder_table(csv_of(headers, [*line(0), "ZJ1"], [*line(1), "zj 1"]), "a.csv").errors
    assert (error.row_number, error.column) == (3, "province_code")


def test_the_same_serial_of_one_maker_in_two_months_is_two_cylinders() -> None:
    table = parse_cylinder_table(csv_of(CHINESE, line(0), line(1, 出厂编号="000", 制造年月="2020-03")), "a.csv")
    assert len(table.rows) == 2


@pytest.mark.parametrize("changes", [{"制造单位": "甲|乙"}, {"出厂编号": "1|2"}, {"制造单位": "厂" * 80}])
def test_a_stamp_that_cannot_be_told_apart_is_an_error_of_its_row(changes: dict[str, str]) -> None:
    (error,) = parse_cylinder_table(csv_of(CHINESE, line(0, **changes)), "a.csv").errors
    assert "stamp" in error.what


# --- headers ------------------------------------------------------------------------------------------------


def test_the_headers_seen_in_the_wild_are_known_or_left_alone() -> None:
    known = {
        "BarCode": CODES[0].text, "VaseCode": "00123", "制造单位": "C27", "型号": "YSP35.5", "制造日期": "2019.3",
        "重量": "16.5", "容积": "35.5", "充装量(kg)": "14.9", "介质": "液化石油气",
    }  # fmt: skip
    unknown = (
        "序号 气瓶结构 品种 执行标准 检验周期 报废年限 设计厚度 公称压力 试验压力 监检证书编号 "
        "FillTimes CurPosName UpLoadFlag"
    ).split()
    headers, cells = [*unknown, *known], [*["x"] * len(unknown), *known.values()]
    (row,) = parse_cylinder_table(csv_of(headers, cells), "a.csv").rows
    assert (row.serial, row.tare_g, row.code) == ("00123", 16_500, CODES[0].text)


def test_a_vague_header_counts_only_where_none_is_plain() -> None:
    vague = [{"出厂编号": "编号", "皮重": "重量"}.get(header, header) for header in CHINESE]
    assert parse_cylinder_table(csv_of(vague, line(0)), "a.csv").rows[0].serial == "000"
    both = parse_cylinder_table(csv_of([*CHINESE, "编号", "重量"], [*line(0), "7", "31"]), "a.csv").rows[0]
    assert (both.serial, both.tare_g) == ("000", 16_500)


@pytest.mark.parametrize(
    ("text", "months"), [("8", 96), ("8年", 96), ("12 years", 144), ("41", None), ("2034-02", None)]
)
def test_a_design_life_is_a_number_of_years(text: str, months: int | None) -> None:
    table = parse_cylinder_table(csv_of([*CHINESE, "设计使用年限(年)"], [*line(0), text]), "a.csv")
    assert [row.design_life_months for row in table.rows] == ([months] if months else [])


# --- workbooks ----------------------------------------------------------------------------------------------


def test_the_first_visible_sheet_with_the_headers_is_read_and_named() -> None:
    sheets = {"说明": [["请先阅读"]], "旧表": [CHINESE, line(1)], "2024 气瓶": [["台账"], CHINESE, line(0)]}
    table = parse_cylinder_table(book_of(sheets, hidden=["旧表"]), "a.xlsx")
    assert table.source.name == "2024 气瓶"
    assert [(row.row_number, row.code) for row in table.rows] == [(3, CODES[0].text)]


def test_without_the_headers_in_any_sheet_the_nearest_one_is_told() -> None:
    sheets = {"封面": [["x"]], "气瓶": [CHINESE[:5], line(0)[:5]]}
    (error,) = parse_cylinder_table(book_of(sheets), "a.xlsx").errors
    assert "'气瓶'" in error.what
    assert "tare_g" in error.what
    assert "maker" not in error.what


def test_of_merged_cells_only_the_first_holds_the_text_and_the_others_are_told() -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_of(CHINESE, line(0), line(1))))
    book.worksheets[0].merge_cells("C2:C3")
    buffer = io.BytesIO()
    book.save(buffer)
    table = parse_cylinder_table(buffer.getvalue(), "a.xlsx")
    assert [row.row_number for row in table.rows] == [2]
    assert (table.errors[0].row_number, table.errors[0].column) == (3, "制造单位")
    assert "merged" in table.errors[0].mend


def test_a_workbook_of_too_many_cells_is_refused_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_WORKBOOK_CELLS", 1_000)
    assert len(list(read_sheets(xlsx_of(*[["x"] * 10] * 100), "a.xlsx"))) == 1
    with pytest.raises(TableError, match="more than 1,000 cells"):
        list(read_sheets(xlsx_of(*[["x"] * 10] * 101), "a.xlsx"))
    with pytest.raises(TableError, match="more than 1,000 cells"):
        list(read_sheets(book_of({"a": [["x"] * 10] * 60, "b": [["x"] * 10] * 60}), "a.xlsx"))


def test_one_cell_far_out_in_every_row_counts_with_the_gap_before_it() -> None:
    book = openpyxl.Workbook()
    for row in range(1, 101):
        book.worksheets[0].cell(row, 16_384, "x")
    buffer = io.BytesIO()
    book.save(buffer)
    with pytest.raises(TableError, match="cells"):
        list(read_sheets(buffer.getvalue(), "a.xlsx"))


def test_a_table_of_more_rows_than_a_sheet_has_is_refused() -> None:
    with pytest.raises(TableError, match="rows"):
        list(read_sheets(b"\n" * (tables.MAX_ROWS + 1), "a.csv"))


@pytest.mark.parametrize("flood", [b"," * 30_000_000, b"a,b\n" * 4_000_000])
def test_a_flood_of_empty_cells_is_refused_before_it_is_taken_apart(flood: bytes) -> None:
    with pytest.raises(TableError, match="cells"):
        list(read_sheets(flood, "a.csv"))


def with_part(part: str, change: dict[bytes, bytes]) -> bytes:
    """A workbook with one part changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx_of(CHINESE, line(0)))) as whole, zipfile.ZipFile(buffer, "w") as changed:
        for info in whole.infolist():
            text = whole.read(info)
            for old, new in change.items() if info.filename == part else ():
                assert old in text
                text = text.replace(old, new, 1)
            changed.writestr(info, text)
    return buffer.getvalue()


@pytest.mark.parametrize("entity", [b'<!ENTITY a SYSTEM "file:///etc/passwd">', b'<!ENTITY a "aaaaaaaaaa">', b""])
@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"])
def test_a_workbook_that_declares_entities_is_refused_before_one_is_resolved(part: str, entity: bytes) -> None:
    root = {"xl/worksheets/sheet1.xml": b"<worksheet", "xl/styles.xml": b"<styleSheet", "xl/workbook.xml": b"<workbook"}
    declared = b"<!--" + b"x" * 10_000 + b"--><!DOCTYPE t [" + entity + b"]>" + root[part]
    with pytest.raises(TableError, match="entities"):
        list(read_sheets(with_part(part, {root[part]: declared}), "a.xlsx"))


def test_a_part_that_is_longer_than_the_archive_declares_is_damage() -> None:
    data = bytearray(with_part("xl/worksheets/sheet1.xml", {}))
    entry = data.rindex(b"xl/worksheets/sheet1.xml")  # in the directory at the end; the size stands 22 bytes before
    data[entry - 22 : entry - 18] = (100).to_bytes(4, "little")
    with pytest.raises(TableError, match="damaged"):
        list(read_sheets(bytes(data), "a.xlsx"))


# --- the rows handed back -----------------------------------------------------------------------------------

BAD = [
    line(0),
    line(1, 皮重="abc", 容积="x"),
    line(2, 皮重="=1+1"),
    line(3, 制造单位="+86", 皮重="-16.5"),
    line(4, 制造单位="@某厂"),
]


@pytest.mark.parametrize("kind", WRITERS)
def test_the_bad_rows_come_back_as_they_were_with_reason_and_mending_beside_them(kind: str) -> None:
    headers = ["台站", *CHINESE, "备注"]
    data = csv_of(headers, *(["甲站", *cells, "007"] for cells in BAD))
    table = parse_cylinder_table(data, "a.csv")
    (sheet,) = read_sheets(WRITERS[kind](bad_rows(table, table.errors)), f"b.{kind}")
    assert sheet.rows[0] == (*headers, *BAD_ROW_HEADERS)
    assert [row[:-2] for row in sheet.rows[1:]] == [("甲站", *BAD[place], "007") for place in (1, 2, 3)]
    why, how = sheet.rows[1][-2:]
    assert [text.partition("：")[0] for text in why.split("\n")] == ["皮重", "容积"]
    assert "'abc' is not a number" in why
    assert "请用数字和小数点填写" in how


@pytest.mark.parametrize("kind", WRITERS)
def test_the_sheet_of_bad_rows_is_mended_and_imported_as_it_is(kind: str) -> None:
    table = parse_cylinder_table(csv_of(CHINESE, *BAD), "a.csv")
    (sheet,) = read_sheets(WRITERS[kind](bad_rows(table, table.errors)), f"b.{kind}")
    tare = CHINESE.index("皮重")
    mended = [sheet.rows[0], *((*row[:tare], "16.5", "35.5", *row[tare + 2 :]) for row in sheet.rows[1:])]
    again = parse_cylinder_table(WRITERS[kind](mended), f"b.{kind}")
    assert again.errors == []
    assert [(row.serial, row.maker) for row in again.rows] == [("001", "C27"), ("002", "C27"), ("003", "+86")]


@pytest.mark.parametrize("kind", WRITERS)
def test_reasons_of_an_earlier_import_do_not_pile_up(kind: str) -> None:
    first = parse_cylinder_table(csv_of(CHINESE, *BAD), "a.csv")
    second = parse_cylinder_table(WRITERS[kind](bad_rows(first, first.errors)), f"b.{kind}")
    assert bad_rows(second, second.errors) == bad_rows(first, first.errors)


def test_no_cell_that_we_write_is_a_formula() -> None:
    table = parse_cylinder_table(csv_of(CHINESE, *BAD), "a.csv")
    rows = bad_rows(table, table.errors)
    book = openpyxl.load_workbook(io.BytesIO(write_xlsx(rows)))
    assert {cell.data_type for row in book.worksheets[0].iter_rows() for cell in row} <= {"s", "n"}
    assert {cell.number_format for row in book.worksheets[0].iter_rows() for cell in row} == {"@"}
    text = write_csv(rows).decode("utf-8-sig")
    assert "'=1+1" in text
    assert ",=" not in text
    assert ",+" not in text


def test_a_row_with_more_cells_than_headers_comes_back_whole() -> None:
    data = csv_of(CHINESE, [*line(0, 皮重="x"), "beyond", "the headers"])
    table = parse_cylinder_table(data, "a.csv")
    rows = bad_rows(table, table.errors)
    assert rows[1][len(CHINESE) : -2] == ("beyond", "the headers")
    assert rows[0][-2:] == BAD_ROW_HEADERS


def test_a_workbook_can_hold_any_cell_of_a_csv_file() -> None:
    data = csv_of(CHINESE, line(0, 制造单位="a\x01b\x0bc", 皮重="x"))
    table: CylinderTable = parse_cylinder_table(data, "a.csv")
    (sheet,) = read_sheets(write_xlsx(bad_rows(table, table.errors)), "b.xlsx")
    assert sheet.rows[1][2] == "a b c"


# --- the command --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
def test_the_command_writes_the_bad_rows_and_takes_them_back_mended(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, bad = tmp_path / "a.csv", tmp_path / f"bad.{kind}"
    source.write_bytes(csv_of(CHINESE, *BAD))
    assert main(["import", str(source), "--bad-rows", str(bad)]) == 1
    assert str(bad) in capsys.readouterr().out
    assert main(["import", str(bad), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert {error["row_number"] for error in said["errors"]} == {2, 3, 4}
    assert said["rows"] == []


def test_the_command_says_which_sheet_it_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.xlsx"
    source.write_bytes(book_of({"封面": [["x"]], "气瓶": [CHINESE, line(0)]}))
    assert main(["import", str(source)]) == 0
    assert "1 good rows, 0 errors in sheet '气瓶'" in capsys.readouterr().out


def test_a_table_without_errors_leaves_no_file_of_bad_rows(tmp_path: Path) -> None:
    source, bad = tmp_path / "a.csv", tmp_path / "bad.csv"
    source.write_bytes(csv_of(CHINESE, line(0)))
    assert main(["import", str(source), "--bad-rows", str(bad)]) == 0
    assert not bad.exists()


def test_a_file_that_is_there_is_not_overwritten_with_bad_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(csv_of(CHINESE, *BAD))
    assert main(["import", str(source), "--bad-rows", str(source)]) == 2
    assert "not overwritten" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["import", str(source), "--bad-rows", "bad.txt"])
    assert stopped.value.code == 2
