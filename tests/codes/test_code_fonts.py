"""The font of labels draws every Chinese character of the product, and refuses by name what it cannot draw."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont

import cjk_font
from cylinder_codes import typeface
from shipped import OURS, ROOT

SOURCES = [path for folder in OURS.values() for path in sorted((ROOT / folder).rglob("*"))]


def is_cjk(char: str) -> bool:
    return "\u3000" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or "\uff00" <= char <= "\uffef"


def strings_of(path: Path) -> Iterator[str]:
    if path.suffix == ".py":
        tree = ast.parse(path.read_bytes())
        constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        yield from (value for value in constants if isinstance(value, str))
    elif path.suffix == ".toml":
        yield from strings_in(tomllib.loads(path.read_text(encoding="utf-8")))
    elif path.suffix in {".html", ".js", ".json"}:
        yield path.read_text(encoding="utf-8")


def strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in strings_in(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in strings_in(part))


def chinese_strings() -> list[tuple[str, str]]:
    readmes = [(path.name, path.read_text(encoding="utf-8")) for path in ROOT.glob("README*")]
    found = [(str(path.relative_to(ROOT)), text) for path in SOURCES if path.is_file() for text in strings_of(path)]
    return [(where, text) for where, text in (*readmes, *found) if any(map(is_cjk, text))]


@cache
def drawn(char: str) -> tuple[tuple[int, int], bytes]:
    mask = typeface.picture_font(48).getmask(char)
    return mask.size, bytes(mask)


def test_every_chinese_string_of_the_product_is_drawn_without_a_missing_glyph() -> None:
    strings = chinese_strings()
    box = drawn("\U0010ffff")  # no font has it: this is the box that stands for a missing glyph
    lacking = {(char, where) for where, text in strings for char in text if is_cjk(char) and drawn(char) == box}
    assert len(strings) > 300
    assert not lacking, "run tools/cjk_font.py again: the font of labels lacks these characters"


def test_every_chinese_string_of_the_product_passes_as_drawable() -> None:
    for _, text in chinese_strings():
        typeface.require_drawable("".join(char for char in text if is_cjk(char)))


def test_the_list_of_characters_is_what_the_font_holds() -> None:
    held = TTFont(BytesIO(typeface.font_bytes())).getBestCmap()
    assert {chr(point) for point in held} == typeface.characters()


def test_the_font_holds_ascii_full_width_forms_and_all_of_gb_2312() -> None:
    gb_2312 = set(cjk_font.gb_2312())
    assert len([char for char in gb_2312 if "\u4e00" <= char <= "\u9fff"]) == 6763
    wanted = gb_2312 | {chr(point) for point in (*range(0x20, 0x7F), *range(0xFF01, 0xFF5F))}
    assert wanted <= typeface.characters()


def test_every_character_but_the_spaces_leaves_ink_and_none_is_the_box() -> None:
    box = drawn("\U0010ffff")
    for char in typeface.characters() - {" ", "\u3000", "\u00a0"}:
        assert any(drawn(char)[1]), hex(ord(char))
        assert drawn(char) != box, hex(ord(char))


@pytest.mark.parametrize(
    ("text", "position"), [("気瓶", 1), ("气瓶\U00020000", 3), ("A1\tB", 3), ("😀", 1), ("a\n", 2)]
)
def test_a_character_that_the_font_lacks_is_named_and_never_a_box(text: str, position: int) -> None:
    with pytest.raises(typeface.MissingGlyph, match=rf"character {position}, .*U\+[0-9A-F]{{4,6}}") as caught:
        typeface.require_drawable(text)
    assert (caught.value.character, caught.value.position) == (text[position - 1], position)


def test_the_changed_font_bears_its_own_name_and_the_licence_of_the_original() -> None:
    names = {record.nameID: str(record) for record in TTFont(BytesIO(typeface.font_bytes()))["name"].names}
    for name_id in (1, 3, 4, 6):
        assert "PingLian" in names[name_id]
        assert "Source" not in names[name_id]
        assert "Noto" not in names[name_id]
    assert "Adobe" in names[0]
    assert "SIL Open Font License" in names[13]


def test_licence_and_notice_ship_beside_the_font() -> None:
    folder = ROOT / "codes" / "cylinder_codes" / "fonts"
    notice = (ROOT / "codes" / "NOTICE").read_text()
    assert "Reserved Font Name 'Source'" in (folder / typeface.LICENCE_FILE).read_text(encoding="utf-8")
    assert "@expo-google-fonts/noto-sans-sc 0.4.3" in notice
    assert typeface.FONT_FILE in notice


def test_the_font_stays_small_enough_to_ship() -> None:
    assert len(typeface.font_bytes()) < 2_500_000


def test_the_tool_refuses_another_package(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    other = tmp_path / "other.tgz"
    other.write_bytes(b"not that package")
    monkeypatch.setattr("sys.argv", ["cjk_font.py", "--package", str(other), "--out", str(tmp_path / "out")])
    assert cjk_font.main() == 2
    assert "is not the package" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
