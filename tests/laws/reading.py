"""Law: whatever arrives at the scanner, the reader answers with the right code or a named reason; it never guesses."""

import random
from pathlib import Path

from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.digital_link import format_link, format_printed_link
from cylinder_codes.identifiers import Code, format_code_human, make_code, make_giai, make_grai
from cylinder_codes.layouts import LAYOUTS
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.schemes import SCHEMES

_KEY = TagKey("law", bytes(range(32)))
_STRANGE = "0O1Iil-./:;\\]Q1\x1d\r\n\t ~％０Ａａ\u241d{GS}<GS>HTTPSC人ßÖ#()8003"
_PER_RUN = 2_000


def check(seed: int, folder: Path) -> None:
    """One run: thousands of genuine codes of every scheme we issue, bent and unbent."""
    dice = random.Random(seed)
    for _ in range(_PER_RUN):
        code = _issued(dice)
        text = dice.choice(_printed_forms(code))
        assert read_scan(text) == code, f"seed {seed}: {text!r} was not read"
        _check_wrong(dice.choice(LAYOUTS).typed(text), code, seed)
        _check_wrong(_bent(text, dice), code, seed)


def _issued(dice: random.Random) -> Code:
    makers = (
        lambda: make_code(dice.randbytes(10), _KEY),
        lambda: make_grai(f"{dice.randrange(10**12):012d}", dice.randbytes(6), _KEY),
        lambda: make_giai(f"{dice.randrange(10**7, 10**8)}", dice.randbytes(6), _KEY),
    )
    return dice.choice(makers)()


def _printed_forms(code: Code) -> list[str]:
    forms = [format_code_human(code), format_link(code), format_printed_link(code), format_printed_link(code).lower()]
    ai = SCHEMES[code.scheme].ai
    return [*forms, f"]Q3{ai}{code.value}", f"({ai}){code.value}\r"] if ai else [*forms, code.text, code.text * 2]


def _check_wrong(raw: str, code: Code, seed: int) -> None:
    read = read_scan(raw)
    if not isinstance(read, ReadFailure) and read != code:
        assert not tag_is_genuine(read, _KEY), f"seed {seed}: {raw!r} was read as another genuine code"


def _bent(text: str, dice: random.Random) -> str:
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) + 1)
        insert = "".join(dice.choice(_STRANGE) for _ in range(dice.randint(0, 3)))
        text = text[:at] + insert + text[at + dice.randint(0, 3) :]
    return text
