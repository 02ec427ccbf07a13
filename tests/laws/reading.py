"""Law: whatever arrives at the scanner, the reader answers with the right code or a named reason; it never guesses."""

import random
from pathlib import Path

from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.identifiers import format_code_human, make_code
from cylinder_codes.digital_link import format_link
from cylinder_codes.reading import ReadFailure, read_scan

_KEY = TagKey("law", bytes(range(32)))
_STRANGE = "0O1Iil-./:;\\]Q1\x1d\r\n\t ~％０Ａａ\u241d{GS}<GS>HTTPSC人"
_PER_RUN = 2_000


def check(seed: int, folder: Path) -> None:
    """One run: thousands of genuine codes, bent and unbent."""
    dice = random.Random(seed)
    for _ in range(_PER_RUN):
        code = make_code(dice.randbytes(10), _KEY)
        text = dice.choice((code.text, format_code_human(code), format_link(code), format_link(code).upper()))
        assert read_scan(text) == code, f"seed {seed}: {text!r} was not read"
        bent = _bent(text, dice)
        read = read_scan(bent)
        if not isinstance(read, ReadFailure) and read != code:
            assert not tag_is_genuine(read, _KEY), f"seed {seed}: {bent!r} was read as another genuine code"


def _bent(text: str, dice: random.Random) -> str:
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) + 1)
        insert = "".join(dice.choice(_STRANGE) for _ in range(dice.randint(0, 3)))
        text = text[:at] + insert + text[at + dice.randint(0, 3) :]
    return text
