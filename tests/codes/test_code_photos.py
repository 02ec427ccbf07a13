"""A picture gives the one code in it, or says by name why not, whatever its bytes are."""

import argparse
import io
import json
import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from drawn import draw_label
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from cylinder_codes.authenticity import TagKey
from cylinder_codes.cli import main
from cylinder_codes.commands.issuer import open_or_make_issuer
from cylinder_codes.identifiers import Code, format_code_human, make_code
from cylinder_codes.photos import MAX_BYTES, MAX_PIXELS, PhotoFailure, PhotoFailureKind, read_photo, read_symbols
from cylinder_codes.reading import ReadFailure, ReadFailureKind

KEY = TagKey("example", bytes(range(32)))
CODE, OTHER = (make_code(bytes([n] * 10), KEY) for n in (7, 99))


def label(code: Code, **options: Any) -> Image.Image:
    return draw_label(code, **{"module_px": 6} | options).convert("L")


def saved(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


LABEL = label(CODE)


def side_by_side(*pictures: Image.Image) -> Image.Image:
    both = Image.new("L", (sum(each.width for each in pictures), max(each.height for each in pictures)), 255)
    left = 0
    for each in pictures:
        both.paste(each, (left, 0))
        left += each.width
    return both


def symbol(content: str, form: zxingcpp.BarcodeFormat, **options: Any) -> Image.Image:
    return Image.fromarray(zxingcpp.create_barcode(content, form, **options).to_image(scale=5))


def png_head(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(bytes(200_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def refusal(data: bytes) -> PhotoFailureKind:
    answer = read_photo(data)
    assert isinstance(answer, PhotoFailure)
    assert answer.text_en
    assert any("一" <= char <= "鿿" for char in answer.text_zh)
    return answer.kind


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_label_is_read_from_every_format_that_cameras_and_printers_make(form: str) -> None:
    assert read_photo(saved(LABEL, form)) == CODE


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_label_is_read_in_every_kind_of_colour(mode: str) -> None:
    picture = LABEL.convert("I").point(lambda value: value * 257) if mode.startswith("I") else LABEL
    assert read_photo(saved(picture.convert(mode))) == CODE


def test_a_label_is_read_from_a_picture_for_print_in_four_inks() -> None:
    assert read_photo(saved(LABEL.convert("RGB").convert("CMYK"), "JPEG")) == CODE


def test_a_camera_with_twelve_of_sixteen_bits_is_read() -> None:
    dim = LABEL.convert("I").point(lambda value: value * 8 + 300)
    assert read_photo(saved(dim.convert("I;16"), "TIFF")) == CODE


def test_what_is_transparent_counts_as_white_paper() -> None:
    picture = Image.new("RGBA", LABEL.size, (0, 0, 0, 0))
    picture.putalpha(LABEL.point(lambda value: 255 - value))
    assert read_photo(saved(picture)) == CODE


def test_a_light_symbol_on_a_dark_plate_is_read() -> None:
    assert read_photo(saved(LABEL.point(lambda value: 255 - value))) == CODE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_taken_sideways_or_mirrored_is_set_upright(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    data_matrix = symbol(CODE.text, zxingcpp.BarcodeFormat.DataMatrix)
    taken = data_matrix.transpose(undo[orientation]) if orientation in undo else data_matrix
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read_photo(saved(taken, "JPEG", exif=exif)) == CODE


def test_a_damaged_note_about_the_camera_does_not_spoil_the_photo() -> None:
    assert read_photo(saved(LABEL, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")) == CODE


def test_a_small_label_in_a_photo_of_twelve_megapixels_is_read_within_a_second_or_so() -> None:
    grain = Image.effect_noise((4000, 3000), 40)
    grain.paste(label(CODE, module_px=4), (2900, 2100))
    photo = saved(grain.rotate(12, Image.Resampling.BICUBIC).convert("RGB"), "JPEG", quality=90)
    began = time.process_time()
    assert read_photo(photo) == CODE
    assert time.process_time() - began < 3  # 0.4 s alone on the machine


def test_a_pale_noisy_small_photo_is_read_after_all() -> None:
    pale = label(CODE, module_px=4).point(lambda value: 120 + value // 32)
    assert read_photo(saved(pale)) == CODE


def test_a_photo_out_of_focus_is_read() -> None:
    assert read_photo(saved(label(CODE, module_px=9).filter(ImageFilter.GaussianBlur(5)))) == CODE


def test_a_gs1_data_matrix_keeps_its_separators_and_says_that_it_is_gs1() -> None:
    picture = symbol("(8003)09520001123450ZJ330(21)XYZ", zxingcpp.BarcodeFormat.DataMatrix, gs1=True)
    assert read_symbols(saved(picture)) == ["]d2800309520001123450ZJ330\x1d21XYZ"]


def test_a_gs1_qr_code_says_that_it_is_gs1() -> None:
    picture = symbol("(8004)9520001VLV-0098231", zxingcpp.BarcodeFormat.QRCode, gs1=True)
    assert read_symbols(saved(picture)) == ["]Q380049520001VLV-0098231"]


@pytest.mark.parametrize("form", [zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.QRCode])
def test_a_gs1_symbol_in_a_photo_is_read_to_its_code(form: zxingcpp.BarcodeFormat) -> None:
    picture = symbol("(8003)09520001123450ZJ33010000017", form, gs1=True)
    assert read_photo(saved(picture)) == Code("grai:09520001123450ZJ33010000017")


def test_text_is_handed_on_as_it_was_encoded() -> None:
    for text in ("气瓶 No. 1", "HC1:6BF+70790T9WJWG", "a<GS>b\x1dc"):
        assert read_symbols(saved(symbol(text, zxingcpp.BarcodeFormat.QRCode))) == [text]


def test_the_same_code_twice_in_a_picture_is_one_code() -> None:
    assert read_photo(saved(side_by_side(LABEL, LABEL))) == CODE


def test_two_codes_in_a_picture_are_refused_by_name() -> None:
    answer = read_photo(saved(side_by_side(LABEL, label(OTHER))))
    assert isinstance(answer, PhotoFailure)
    assert answer.kind == PhotoFailureKind.SEVERAL_CODES
    assert CODE.text[:4] in answer.text_en
    assert OTHER.text[:4] in answer.text_zh


def test_two_codes_in_different_symbols_are_refused_too() -> None:
    data_matrix = symbol(OTHER.text, zxingcpp.BarcodeFormat.DataMatrix)
    assert refusal(saved(side_by_side(LABEL, data_matrix))) == PhotoFailureKind.SEVERAL_CODES


def test_an_advertisement_beside_the_code_does_no_harm() -> None:
    advertisement = symbol("https://shop.example/gas?offer=7", zxingcpp.BarcodeFormat.QRCode)
    assert read_photo(saved(side_by_side(advertisement, LABEL))) == CODE


def test_a_symbol_that_would_be_a_code_with_other_check_digits_is_not_passed_over() -> None:
    wrong = CODE.text[:-2] + f"{(int(CODE.text[-2:]) + 1) % 97:02d}"
    beside = side_by_side(LABEL, symbol(wrong, zxingcpp.BarcodeFormat.QRCode))
    answer = read_photo(saved(beside))
    assert isinstance(answer, ReadFailure)
    assert answer.kind == ReadFailureKind.WRONG_CHECK_DIGITS


def test_a_picture_of_something_else_is_refused_as_a_scan_of_it_would_be() -> None:
    answer = read_photo(saved(symbol("https://shop.example/gas", zxingcpp.BarcodeFormat.QRCode)))
    assert isinstance(answer, ReadFailure)
    assert answer.kind == ReadFailureKind.FOREIGN_LINK


def test_links_of_another_host_are_read_only_when_it_is_named() -> None:
    photo = saved(label(CODE, host="gas.city.example"))
    assert isinstance(read_photo(photo), ReadFailure)
    assert read_photo(photo, ["gas.city.example"]) == CODE


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"") == PhotoFailureKind.EMPTY


def test_what_is_no_picture_is_refused() -> None:
    for data in (b"code,link\n", "气瓶".encode(), b"%PDF-1.7\n", bytes(1000)):
        assert refusal(data) == PhotoFailureKind.NOT_A_PICTURE


def test_formats_that_no_camera_makes_are_not_opened() -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n"
    icon = saved(LABEL.resize((64, 64)), "ICO")
    for data in (postscript, icon, saved(LABEL, "PPM"), saved(LABEL.convert("RGB"), "PDF")):
        assert refusal(data) == PhotoFailureKind.NOT_A_PICTURE


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_picture_that_was_cut_off_is_refused(form: str) -> None:
    whole = saved(LABEL, form)
    assert refusal(whole[: len(whole) // 2]) in {PhotoFailureKind.DAMAGED, PhotoFailureKind.NOT_A_PICTURE}


def test_a_picture_without_a_symbol_is_refused_with_advice() -> None:
    answer = read_photo(saved(Image.linear_gradient("L")))
    assert isinstance(answer, PhotoFailure)
    assert answer.kind == PhotoFailureKind.NO_SYMBOL
    assert "type the text under the symbol" in answer.text_en
    assert "输入码下方的文字" in answer.text_zh


def test_a_picture_of_more_than_50_mb_is_refused_unopened() -> None:
    began = time.process_time()
    assert refusal(saved(LABEL) + bytes(MAX_BYTES)) == PhotoFailureKind.TOO_MANY_BYTES
    assert time.process_time() - began < 1


@pytest.mark.parametrize("side", [9_000, 13_000, 60_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_undecoded(side: int) -> None:
    began = time.process_time()
    assert refusal(png_head(side, side)) == PhotoFailureKind.TOO_MANY_PIXELS
    assert time.process_time() - began < 1


def test_the_largest_picture_that_is_taken_is_read() -> None:
    side = int(MAX_PIXELS**0.5)
    picture = Image.new("L", (side, side), 200)
    picture.paste(LABEL, (side - LABEL.width - 100, side // 2))
    assert read_photo(saved(picture)) == CODE


@pytest.mark.parametrize("size", [(65_536, 3), (3, 100_000), (2**31 - 1, 1)])
def test_a_picture_too_long_for_the_decoder_is_refused(size: tuple[int, int]) -> None:
    assert refusal(png_head(*size)) == PhotoFailureKind.TOO_MANY_PIXELS


@pytest.mark.parametrize("size", [(0, 100), (100, 0), (1, 1), (2, 3), (1, 65_535), (65_535, 1)])
def test_a_picture_without_breadth_is_refused(size: tuple[int, int]) -> None:
    expected = {PhotoFailureKind.NO_SYMBOL, PhotoFailureKind.DAMAGED, PhotoFailureKind.NOT_A_PICTURE}
    assert refusal(png_head(*size)) in expected


def test_of_a_moving_picture_with_a_thousand_frames_only_the_first_is_decoded() -> None:
    frames = [Image.new("L", LABEL.size, shade % 256) for shade in range(1000)]
    for form, how in (("GIF", None), ("TIFF", "tiff_lzw")):
        moving = saved(LABEL, form, save_all=True, append_images=frames, compression=how)
        began = time.process_time()
        assert read_photo(moving) == CODE
        assert time.process_time() - began < 1


@pytest.mark.parametrize("missing", ["zxingcpp", "PIL"])
def test_without_the_extra_the_refusal_names_what_to_install(missing: str, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(saved(LABEL))
    program = f"""
import sys
sys.modules[{missing!r}] = None
from cylinder_codes.photos import PhotosUnavailable, read_photo
try:
    read_photo(open(sys.argv[1], "rb").read())
except PhotosUnavailable as refusal:
    print(refusal)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "photo.png")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "cylinder-codes[photos]" in told


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(LABEL, "JPEG"))
    return path


def test_the_command_line_reads_a_photo_and_names_the_scheme(
    photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    assert main(["read", "--photo", str(photo)]) == 0
    told = capsys.readouterr().out
    assert CODE.text in told
    assert "瓶链码" in told
    assert main(["read", "--photo", str(photo), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True, "code": CODE.text, "human_text": format_code_human(CODE), "value": CODE.text,
        "scheme": "own", "scheme_en": "PingLian code", "scheme_zh": "瓶链码",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("(8003)09520001123450ZJ33010000017", "grai:09520001123450ZJ33010000017"),
        ("https://id.pinglian.example/8004/9520001VLV-0098231", "giai:9520001VLV-0098231"),
    ],
)
def test_the_scheme_of_a_gs1_code_is_named(typed: str, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", typed, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["code"] == code
    assert answer["scheme_en"] == f"GS1 {code[:4].upper()}"


def test_with_the_issuers_folder_and_passphrase_at_hand_a_photo_is_said_to_be_genuine_or_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CYLINDER_CODES_PASSPHRASE", "long enough for a test")
    issuer = open_or_make_issuer(argparse.Namespace(issuer=Path("issuer"), passphrase_file=None))
    ours = make_code(bytes(range(10)), issuer.tag_key())
    for code, exit_code, word in ((ours, 0, "真码"), (CODE, 1, "未通过防伪核验")):
        (tmp_path / "photo.png").write_bytes(saved(label(code)))
        assert main(["read", "--photo", "photo.png"]) == exit_code
        assert word in capsys.readouterr().out
    monkeypatch.delenv("CYLINDER_CODES_PASSPHRASE")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["read", "--photo", "photo.png"]) == 0
    assert "未验防伪" in capsys.readouterr().out


def test_a_photo_of_two_cylinders_is_checked_and_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "two.png"
    photo.write_bytes(saved(side_by_side(LABEL, label(OTHER))))
    assert main(["read", "--photo", str(photo)]) == 1
    assert "2 个不同的码" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no picture", png_head(9_999, 9_999), saved(LABEL)[:300]])
def test_a_file_that_cannot_be_looked_at_is_one_sentence_and_exit_2(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(content)
    assert main(["read", "--photo", str(photo)]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert str(photo) in told.err


def test_a_missing_photo_or_a_photo_and_a_text_at_once_is_one_sentence_and_exit_2(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["read", "--photo", f"{photo}.not"]) == 2
    with pytest.raises(SystemExit) as stop:
        main(["read", CODE.text, "--photo", str(photo)])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 2


SMALL = LABEL.resize((200, 220))
PICTURES = {form: saved(SMALL, form) for form in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")}
PICTURES |= {f"TIFF with {how}": saved(SMALL, "TIFF", compression=how) for how in ("tiff_lzw", "jpeg")}
HEADS = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\xff\0\0\0WEBPVP8 ", b"BM", b"II*\0", b"GIF89a"]


def mutated(picture: bytes, seed: int, count: int) -> bytes:
    """Change single bytes, cut pieces out, double pieces; the head, where sizes stand, more often than the rest."""
    dice = random.Random(seed)
    data = bytearray(picture)
    for _ in range(count):
        place = dice.randrange(min(len(data), dice.choice((40, 400, len(data)))))
        what = dice.randrange(4)
        if what <= 1:
            data[place] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
        elif what == 2:
            del data[place : place + dice.choice((1, 4, 100))]
        else:
            data[place:place] = data[place : place + dice.choice((1, 4, 100))]
        if not data:
            break
    return bytes(data)


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_by_name(data: bytes) -> None:
    answer = read_photo(data)
    assert isinstance(answer, PhotoFailure)


@given(st.sampled_from(HEADS), st.binary(max_size=400))
def test_random_bytes_behind_the_head_of_a_picture_are_refused_by_name(head: bytes, data: bytes) -> None:
    assert isinstance(read_photo(head + data), PhotoFailure)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(PICTURES)), st.integers(0, 2**32), st.integers(1, 12))
def test_a_mutated_picture_gives_its_code_or_a_named_refusal_and_never_another_code(
    form: str, seed: int, count: int
) -> None:
    began = time.process_time()
    answer = read_photo(mutated(PICTURES[form], seed, count))
    assert answer == CODE if isinstance(answer, Code) else isinstance(answer, (PhotoFailure, ReadFailure))
    assert time.process_time() - began < 10
