"""A station's own table is read exactly, and every cell that cannot be used is named with how to mend it."""

import datetime
import io
import random
import zipfile
from collections.abc import Sequence

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey
from cylinder_codes.digital_link import format_link
from cylinder_codes.identifiers import format_code_human, make_code
from cylinder_codes.importing import CylinderRow, RowError, parse_cylinder_table
from cylinder_codes.tables import TableError, read_sheets

KEY = TagKey("example", bytes(range(32)))
CODES = [make_code(bytes([n] * 10), KEY) for n in range(9)]
CHINESE = [
    "气瓶条码",
    "出厂编号",
    "制造单位",
    "型号",
    "制造年月",
    "皮重",
    "容积",
    "最大充装量(kg)",
    "检验日期",
    "下次检验日期",
    "充装介质",
]
LINE = ["", "00123", "C27", "YSP35.5", "2019年3月", "16.5", "35.5", "14.9", "2023-03-15", "2027.03", "液化石油气"]


def line(number: int, **changes: str) -> list[str]:
    cells = dict(zip(CHINESE, LINE, strict=True))
    cells |= {"气瓶条码": CODES[number].text, "出厂编号": f"00{number}"} | changes
    return list(cells.values())


def csv_of(*lines: Sequence[str], encoding: str = "utf-8") -> bytes:
    return "".join(",".join(cells) + "\r\n" for cells in lines).encode(encoding)


def xlsx_of(*lines: Sequence[object]) -> bytes:
    book = openpyxl.Workbook()
    for cells in lines:
        book.worksheets[0].append(list(cells))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def parsed(data: bytes, filename: str) -> tuple[list[CylinderRow], list[RowError]]:
    table = parse_cylinder_table(data, filename)
    return table.rows, table.errors


EXPECTED = CylinderRow(
    row_number=2, code=CODES[0].text, aliases=("stamp:C27|2019-03|000",), serial="000",
    maker="C27", model="YSP35.5", manufactured_month="2019-03",
    tare_g=16_500, water_volume_ml=35_500, max_fill_g=14_900, inspected_on="2023-03-15", next_due_month="2027-03",
    medium="lpg",
)  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_chinese_table_is_read_in_every_usual_encoding(encoding: str) -> None:
    assert parsed(csv_of(CHINESE, line(0), encoding=encoding), "a.csv") == ([EXPECTED], [])


def test_a_workbook_with_numbers_and_dates_in_its_cells_is_read_the_same() -> None:
    cells: list[object] = list(line(0))
    cells[4], cells[5], cells[6], cells[7] = datetime.datetime(2019, 3, 1), 16.5, 35.5, 14.9  # noqa: DTZ001
    cells[8], cells[9] = datetime.date(2023, 3, 15), datetime.datetime(2027, 3, 31)  # noqa: DTZ001
    assert parsed(xlsx_of(CHINESE, cells), "a.xlsx") == ([EXPECTED], [])


def test_an_english_table_in_grams_and_any_column_order_is_read() -> None:
    headers = ["serial", "max_fill_g", "Model", "Maker", "tare_g", "water volume (ml)", "Owner ID", "Barcode", "notes"]
    cells = ["007", "14900", "YSP35.5", "C27", "16500", "35500", "own-1", format_code_human(CODES[1]), "x"]
    rows, errors = parsed(csv_of(headers, cells), "a.csv")
    assert errors == []
    assert rows == [
        CylinderRow(
            row_number=2, code=CODES[1].text, serial="007", maker="C27", model="YSP35.5", tare_g=16_500,
            water_volume_ml=35_500, max_fill_g=14_900, owner_id="own-1",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_cells_may_be_parted_by_comma_semicolon_or_tab(separator: str) -> None:
    data = f"{separator.join(CHINESE)}\n{separator.join(line(0))}\n".encode()
    assert parsed(data, "a.csv") == ([EXPECTED], [])


def test_a_title_above_the_headers_and_empty_rows_are_passed_over() -> None:
    data = csv_of(["临海样例充装站气瓶台账", ""], [""], CHINESE, line(0), ["", ""], line(1))
    rows, errors = parsed(data, "a.csv")
    assert [row.row_number for row in rows] == [4, 6]
    assert errors == []


@pytest.mark.parametrize(
    ("text", "grams"),
    [("16.5", 16500), ("16.567", 16567), ("16", 16000), ("16.5kg", 16500), ("16.5 公斤", 16500), ("16500g", 16500),
     ("16500 克", 16500), ("１６．５", 16500), ("16.50", 16500), ("0.1", 100)],
)  # fmt: skip
def test_a_mass_becomes_grams_exactly(text: str, grams: int) -> None:
    rows, errors = parsed(csv_of(CHINESE, line(0, 皮重=text)), "a.csv")
    assert errors == []
    assert rows[0].tare_g == grams


@given(st.integers(100, 1_000_000))
def test_every_gram_survives_a_column_in_kilograms(grams: int) -> None:
    text = f"{grams // 1000}.{grams % 1000:03d}"
    as_number = xlsx_of(CHINESE, [*line(0)[:5], grams / 1000, *line(0)[6:]])
    for data in (csv_of(CHINESE, line(0, 皮重=text)), as_number):
        rows, errors = parsed(data, "a")
        assert errors == []
        assert rows[0].tare_g == grams


@pytest.mark.parametrize(
    ("column", "text", "what"),
    [
        ("皮重", "", "empty"),
        ("皮重", "abc", "not a number"),
        ("皮重", "16,5", "not a number"),
        ("皮重", "-16.5", "not a number"),
        ("皮重", "1e3", "not a number"),
        ("皮重", "16.5L", "not a number"),
        ("皮重", "16.5004", "finer than a gram"),
        ("皮重", "16500", "cannot be a cylinder's"),
        ("容积", "35.5kg", "not a number"),
        ("出厂编号", "1.2E+17", "shortened a long number"),
        ("出厂编号", "x" * 201, "more than 200"),
        ("制造单位", '"a\nb"', "line break"),
        ("制造年月", "2019-13", "not a date"),
        ("制造年月", "19.3", "not a date"),
        ("检验日期", "2023-02-30", "not a date"),
        ("下次检验日期", "soon", "not a date"),
        ("充装介质", "氧气", "not known"),
        ("气瓶条码", "", "empty"),
        ("气瓶条码", "12345", "5 characters arrived"),
        ("气瓶条码", CODES[3].text[:-2] + "00", "check digits"),
    ],
)
def test_a_bad_cell_is_named_with_row_column_and_how_to_mend_it(column: str, text: str, what: str) -> None:
    cells = f'"{text}"' if "," in text else text
    rows, errors = parsed(csv_of(CHINESE, line(0), line(1, **{column: cells})), "a.csv")
    assert [row.row_number for row in rows] == [2]
    assert len(errors) == 1
    assert (errors[0].row_number, errors[0].column) == (3, column)
    assert what in errors[0].what
    assert errors[0].mend
    assert errors[0].what_zh
    assert errors[0].mend_zh


def test_all_bad_cells_of_a_row_are_named_at_once() -> None:
    _, errors = parsed(csv_of(CHINESE, line(0, 皮重="x", 容积="y", 制造年月="z")), "a.csv")
    assert [error.column for error in errors] == ["制造年月", "皮重", "容积"]


@pytest.mark.parametrize(
    ("text", "day"),
    [("2023-3-5", "2023-03-05"), ("2023/03/05", "2023-03-05"), ("2023.3.5", "2023-03-05"), ("20230305", "2023-03-05"),
     ("2023年3月5日", "2023-03-05"), ("2023/3/5 0:00", "2023-03-05"), ("44990", "2023-03-05"), ("2023-03", "2023-03"),
     ("202303", "2023-03"), ("2023年3月", "2023-03")],
)  # fmt: skip
def test_a_date_is_understood_as_people_and_spreadsheets_write_it(text: str, day: str) -> None:
    rows, errors = parsed(csv_of(CHINESE, line(0, 检验日期=text)), "a.csv")
    assert errors == []
    assert rows[0].inspected_on == day


def test_the_same_cylinder_twice_is_named_with_its_first_row() -> None:
    data = csv_of(CHINESE, line(0), line(1), line(2, 气瓶条码=format_link(CODES[0])), line(3, 出厂编号="001"))
    rows, errors = parsed(data, "a.csv")
    assert [row.row_number for row in rows] == [2, 3]
    assert [(e.row_number, e.column, e.what) for e in errors] == [
        (4, "code", "the same cylinder stands in row 2"),
        (5, "serial", "the same cylinder stands in row 3"),
    ]


def test_the_same_serial_of_two_makers_is_two_cylinders() -> None:
    rows, errors = parsed(csv_of(CHINESE, line(0), line(1, 出厂编号="000", 制造单位="D11")), "a.csv")
    assert len(rows) == 2
    assert errors == []


def test_leading_zeros_are_kept() -> None:
    rows, _ = parsed(xlsx_of(CHINESE, line(0, 出厂编号="000070")), "a.xlsx")
    assert rows[0].serial == "000070"


@pytest.mark.parametrize(
    ("data", "filename", "what"),
    [
        (b"", "a.csv", "no column for"),
        (csv_of(["a", "b"], ["1", "2"]), "a.csv", "no column for"),
        (csv_of([*CHINESE[1:4], *CHINESE[5:]], [*LINE[1:4], *LINE[5:]]), "a.csv", "no column for code"),
        (csv_of([*CHINESE, "产品编号"], [*line(0), "9"]), "a.csv", "both mean serial"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a.csv", "not text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.xls", "not an .xlsx"),
        (csv_of(CHINESE), "a.xlsx", "not an .xlsx"),
        (b"PK\x03\x04 and then nothing", "a.xlsx", "damaged"),
        (b'"' + b"x" * 200_000, "a.csv", "not CSV"),
        (b"\xff\xfe\x00", "a.csv", "not text"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_of_cylinders_is_one_error_for_the_whole_file(
    data: bytes, filename: str, what: str
) -> None:
    rows, errors = parsed(data, filename)
    assert rows == []
    assert len(errors) == 1
    assert errors[0].row_number == 0
    assert what in errors[0].what
    assert errors[0].mend
    assert errors[0].mend_zh


def test_a_workbook_that_unpacks_to_a_flood_is_refused_unopened() -> None:
    buffer = io.BytesIO(xlsx_of(CHINESE, line(0)))
    with (
        zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/flood.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(101):
            part.write(bytes(1_000_000))
    assert len(buffer.getvalue()) < 2_000_000
    with pytest.raises(TableError, match="100 MB"):
        next(read_sheets(buffer.getvalue(), "a.xlsx"))


def test_a_file_of_more_than_fifty_megabytes_is_refused() -> None:
    with pytest.raises(TableError, match="50 MB"):
        next(read_sheets(bytes(50_000_001), "a.csv"))


def test_a_damaged_workbook_is_refused_or_read_but_never_an_accident() -> None:
    whole = xlsx_of(CHINESE, line(0))
    dice = random.Random(7)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            damaged[dice.randrange(4, len(damaged))] = dice.randrange(256)
        rows, errors = parsed(bytes(damaged), "a.xlsx")
        assert rows in ([], [EXPECTED])
        assert bool(errors) != bool(rows)


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.xlsx", "a"]))
def test_any_bytes_are_a_table_or_a_named_error(data: bytes, filename: str) -> None:
    rows, errors = parsed(data, filename)
    assert rows == []
    assert errors


@given(st.lists(st.text(max_size=20), min_size=11, max_size=11))
def test_any_cells_are_a_row_or_named_errors(cells: list[str]) -> None:
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    data = (",".join(CHINESE) + "\n" + quoted + "\n").encode("utf-8", "ignore")
    rows, errors = parsed(data, "a.csv")
    assert rows == []
    assert errors or not "".join(cells).strip()
