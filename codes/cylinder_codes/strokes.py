"""Strokes (单线字): the letters below a symbol as lines that an engraver's tool follows and a printer draws.

A typeface in a file is whatever the shop that opens it has installed. These letters are lines of the drawing itself:
the same in PNG, SVG and DXF, engraved in one pass. All are equally wide, so that the width of a line of text is a
matter of counting. Zero has a slash and one a foot, because GS1 values hold O and I as well.

Points lie on a grid of 0 to 4 across and 0 to 6 down; what a unit is in mm or pixels, the label decides.
"""

from functools import lru_cache

WIDTH, HEIGHT = 4, 6
"""The grid of a letter."""

Stroke = tuple[tuple[int, int], ...]
"""Points (x, y) of one open line."""

# Every pair of digits is a point x y, every word a line: "0040 2026" is a T.
_LETTERS = {
    "0": "100105163645413010 0541", "1": "112026 1636", "2": "01103041420646", "3": "0110304142334445361605 1333",
    "4": "36300444", "5": "400002324345361605", "6": "413010010516364544331304", "7": "00404116",
    "8": "103041423313020110 1304051636454433", "9": "051636454130100102133342",
    "A": "0602204246 0444", "B": "00063645443303 0030414233", "C": "4130100105163645", "D": "00062644422000",
    "E": "40000646 0333", "F": "400006 0333", "G": "41301001051636454323", "H": "0006 4046 0343",
    "I": "1030 2026 1636", "J": "204045361605", "K": "0006 400346", "L": "000646", "M": "0600234046",
    "N": "06004640", "O": "100105163645413010", "P": "06003041423303", "Q": "100105163645413010 2446",
    "R": "06003041423303 2346", "S": "413010010213334445361605", "T": "0040 2026", "U": "000516364540",
    "V": "002640", "W": "0016223640", "X": "0046 4006", "Y": "002340 2326", "Z": "00400646",
    " ": "", "-": "1333", ".": "2526", ",": "2516", ":": "2122 2425", ";": "2122 2416", "/": "0640", "\\": "0046",
    "(": "30212536", ")": "10212516", "[": "30202636", "]": "10202616", "#": "1016 3036 0242 0444", "+": "2125 0343",
    "=": "0242 0444", "_": "0646", "!": "2024 2526", '"': "1012 3032", "'": "2022", "%": "0001111000 3536464535 0640",
    "&": "46121120310405162644", "*": "2125 0244 0442", "<": "410345", ">": "014305", "?": "01103041422324 2526",
    "|": "2026", "~": "03123443",
}  # fmt: skip


_DRAWN = frozenset(_LETTERS)


def has_strokes(text: str) -> bool:
    """Whether all letters of ``text`` are there: digits, upper case, blank and the signs of a GS1 value are."""
    return _DRAWN.issuperset(text)


@lru_cache(maxsize=len(_LETTERS))
def strokes(char: str) -> tuple[Stroke, ...]:
    """Return the lines of a letter; KeyError when ``has_strokes`` says there is none."""
    return tuple(
        tuple((int(line[place]), int(line[place + 1])) for place in range(0, len(line), 2))
        for line in _LETTERS[char].split()
    )
