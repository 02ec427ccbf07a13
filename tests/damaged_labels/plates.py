"""Labels to be damaged: each one another code, drawn as the product draws it, with its modules at hand."""

import io
import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from cylinder_codes.authenticity import TagKey
from cylinder_codes.digital_link import format_printed_link
from cylinder_codes.identifiers import PAYLOAD_BYTES, Code, make_code
from cylinder_codes.labels import lay_out, png
from cylinder_codes.symbols import QUIET_ZONE, Level

Picture = npt.NDArray[np.uint8]
Modules = npt.NDArray[np.bool_]

HOST = "code.pinglian.example"
"""With this host a printed link has 58 characters."""

MODULE_PX = 9
FINDER_SIDE = 8
"""A finder pattern with its separator: 7 modules and 1."""

_KEY = TagKey("damage", bytes(range(32)))


@dataclass(frozen=True, slots=True)
class Plate:
    """A label as drawn: the link in it, the modules of its symbol (True = dark), and its picture in grey tones."""

    code: Code
    link: str
    level: Level
    version: int
    modules: Modules
    picture: Picture

    @property
    def side(self) -> int:
        """Modules a side, without the quiet zone."""
        return len(self.modules)

    def with_modules(self, modules: Modules) -> Picture:
        """Return the picture with other modules in the symbol; quiet zone and text stay as they are."""
        changed = self.picture.copy()
        edge = QUIET_ZONE * MODULE_PX
        end = edge + self.side * MODULE_PX
        changed[edge:end, edge:end] = np.where(modules, 0, 255).repeat(MODULE_PX, 0).repeat(MODULE_PX, 1)
        return changed


def draw_plate(dice: random.Random, level: Level, version: int | None = None) -> Plate:
    """Draw the label of a new code at 9 pixels a module; the smallest version that holds it unless one is named."""
    code = make_code(dice.randbytes(PAYLOAD_BYTES), _KEY)
    label = lay_out(code, host=HOST, level=level, version=version)
    modules = np.array([list(row) for row in label.symbol.modules], dtype=np.bool_)
    drawn = np.asarray(Image.open(io.BytesIO(png(label, MODULE_PX))).convert("L"), dtype=np.uint8)
    return Plate(code, format_printed_link(code, HOST), level, label.symbol.version, modules, drawn)


@lru_cache
def finders(side: int) -> Modules:
    """The modules of the three finder patterns and their separators."""
    mask = np.zeros((side, side), np.bool_)
    mask[:FINDER_SIDE, :FINDER_SIDE] = mask[:FINDER_SIDE, -FINDER_SIDE:] = mask[-FINDER_SIDE:, :FINDER_SIDE] = True
    return mask
