"""Make the font of labels again: `python tools/cjk_font.py --package FILE`.

FILE is the npm package @expo-google-fonts/noto-sans-sc 0.4.3 (a .tgz), which holds Noto Sans SC 2.004 as TrueType.
The font keeps the characters named below and loses hinting and layout features, so that it is a fourteenth of
the original. The SIL Open Font License asks a changed font to bear none of the reserved names; it gets one of its own.

Run it again when the product prints a character that the font lacks (tests/codes/test_code_fonts.py says which).
The same package and the same characters give the same bytes.
"""

import argparse
import hashlib
import io
import sys
import tarfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from shipped import OURS, ROOT

SHA256 = "0d69d0f4971d2ff574e3d93cbc218dc950bf3f3f8f8e2c008d97687ed53aee59"
FONT_IN_PACKAGE = "package/400Regular/NotoSansSC_400Regular.ttf"
LICENCE_IN_PACKAGE = "package/LICENSE_FONT"
FOLDER = ROOT / "codes" / "cylinder_codes" / "fonts"
FONT_FILE, CHARACTERS_FILE, LICENCE_FILE = "PingLianLabel-Regular.ttf", "characters.txt", "OFL.txt"
NAMES = {
    1: "PingLian Label",
    2: "Regular",
    3: "2.004;PingLianLabel-Regular",
    4: "PingLian Label Regular",
    5: "Version 2.004",
    6: "PingLianLabel-Regular",
    10: "Made from Noto Sans SC 2.004-H2 for PingLian: fewer glyphs, no hinting, no layout features, another name.",
}
COPYRIGHT_AND_LICENCE = (0, 13, 14)
TEXT_OF_THE_PRODUCT = {".py", ".toml", ".html", ".js", ".css", ".json", ".md"}
IN_NAMES_BEYOND_GB_2312 = (
    "昇堃喆燊甡垚犇骉焱燚玥玮珺瑄璟旻昱曌翀赟祎頔宥芃镕锜锟铖镔珅玹琰瑀璠璘瑢濛淏湉浛滢沄洺堉峣崟"
    "彣惇昉昳晞暐朸栐桢梽棪樾橦浬淯湜溁溇滘漈潆澴濉瀍灏炘烔煊煐熠珩珽琎琬瑸璇璥甪畲砀磻祾禤秾穟竑"
)
"""Hanzi that firms, people and places bear and GB 2312 lacks (some it has; twice does no harm)."""
ROWS_OF_GB_2312 = range(0xA1, 0xF8)
CELLS_OF_GB_2312 = range(0xA1, 0xFF)


def main() -> int:
    """Write the font, the list of its characters and its licence; exit 2 when the package is another one."""
    parser = argparse.ArgumentParser(description="Make the font of labels again from the font package.")
    parser.add_argument("--package", type=Path, required=True, help="noto-sans-sc-0.4.3.tgz of @expo-google-fonts")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder (default {FOLDER.relative_to(ROOT)})")
    options = parser.parse_args()
    package = options.package.read_bytes()
    if hashlib.sha256(package).hexdigest() != SHA256:
        print(f"{options.package} is not the package named at the head of this tool", file=sys.stderr)
        return 2
    font = TTFont(io.BytesIO(member(package, FONT_IN_PACKAGE)), recalcTimestamp=False)
    make_smaller(font, wanted_characters())
    kept = {chr(point) for point in font.getBestCmap()}
    options.out.mkdir(parents=True, exist_ok=True)
    font.save(options.out / FONT_FILE)
    (options.out / CHARACTERS_FILE).write_text(in_lines(kept), encoding="utf-8")
    (options.out / LICENCE_FILE).write_bytes(member(package, LICENCE_IN_PACKAGE))
    print(f"{len(kept):,} characters, {(options.out / FONT_FILE).stat().st_size:,} bytes in {options.out / FONT_FILE}")
    return 0


def member(package: bytes, name: str) -> bytes:
    """Return one file of a .tgz."""
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        file = archive.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file.read()


def wanted_characters() -> set[str]:
    """Return ASCII, full-width forms, GB 2312 with its symbols, some for names, and whatever the product prints."""
    ascii_and_wide = {chr(point) for point in (*range(0x20, 0x7F), *range(0xFF01, 0xFF5F))}
    return ascii_and_wide | set(gb_2312()) | set(IN_NAMES_BEYOND_GB_2312) | set(of_the_product())


def gb_2312() -> Iterator[str]:
    """Yield the 6,763 hanzi and 682 symbols of GB/T 2312."""
    for row in ROWS_OF_GB_2312:
        for cell in CELLS_OF_GB_2312:
            yield from bytes((row, cell)).decode("gb2312", errors="ignore")


def of_the_product() -> Iterator[str]:
    """Yield every printable character beyond ASCII in our four packages and in the readmes."""
    texts = [path for folder in OURS.values() for path in (ROOT / folder).rglob("*")]
    for path in [*texts, *ROOT.glob("README*")]:
        if path.suffix in TEXT_OF_THE_PRODUCT and path.is_file():
            for char in set(path.read_text(encoding="utf-8")):
                if not char.isascii() and unicodedata.category(char)[0] in "LNPS":
                    yield char


def make_smaller(font: TTFont, wanted: set[str]) -> None:
    """Leave the font these characters alone, and another that has the same glyph as one of them; name it anew."""
    options = Options(hinting=False, layout_features=[], notdef_outline=True, glyph_names=False)
    options.drop_tables += ["BASE", "GDEF", "GPOS", "GSUB", "STAT", "gasp", "prep", "vhea", "vmtx"]
    options.name_IDs = list(COPYRIGHT_AND_LICENCE)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[ord(char) for char in wanted])
    subsetter.subset(font)
    for name_id, text in NAMES.items():
        font["name"].setName(text, name_id, 3, 1, 0x409)


def in_lines(kept: set[str]) -> str:
    """Return the characters in order of code point, 64 a line, so that a change shows which came or went."""
    ordered = "".join(sorted(kept))
    return "".join(ordered[start : start + 64] + "\n" for start in range(0, len(ordered), 64))


if __name__ == "__main__":
    sys.exit(main())
