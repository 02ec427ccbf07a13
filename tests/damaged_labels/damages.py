"""Kinds of damage (污损种类): each makes a picture of a damaged label from a label and dice."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from cylinder_codes.symbols import QUIET_ZONE, Level
from damaged_labels.correction import can_be_restored
from damaged_labels.patches import Shape, grow_patch, grow_within
from damaged_labels.plates import MODULE_PX, Modules, Picture, Plate, draw_plate, finders

Do = Callable[[random.Random, Plate], tuple[Picture, bool | None]]
"""Damage a label: the picture, and whether error correction can restore it where that can be counted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of damage, its name in the table, and the version of the symbol where it is not the smallest."""

    name: str
    name_zh: str
    do: Do
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One damaged label."""

    plate: Plate
    picture: Picture
    restorable: bool | None


def sample(kind: Kind, level: Level, number: int) -> Sample:
    """Return the damaged label of this number, the same one at every call."""
    dice = random.Random(f"{kind.name}/{level}/{number}")
    plate = draw_plate(dice, level, kind.version)
    picture, restorable = kind.do(dice, plate)
    return Sample(plate, picture, restorable)


def patch(dice: random.Random, plate: Plate, share: float, shape: Shape = "compact") -> tuple[Picture, bool | None]:
    """Cover a patch off the finder patterns in black, white or random modules, each in a third of the cases."""
    damaged = _filled(dice, plate.modules, grow_patch(dice, plate.side, share, shape))
    return plate.with_modules(damaged), can_be_restored(plate, damaged)


def finder(dice: random.Random, plate: Plate, share: float) -> tuple[Picture, bool | None]:
    """Cover a compact patch of ``share`` of one finder pattern's 49 modules, and nothing else."""
    room = np.zeros_like(plate.modules)
    top, left = dice.choice(((0, 0), (0, plate.side - 7), (plate.side - 7, 0)))
    room[top : top + 7, left : left + 7] = True
    damaged = _filled(dice, plate.modules, grow_within(dice, room & finders(plate.side), round(share * 49), "compact"))
    return plate.with_modules(damaged), None


def _filled(dice: random.Random, modules: Modules, covered: Modules) -> Modules:
    fill = dice.choice(("black", "white", "random"))
    noise = np.array([dice.random() < 0.5 for _ in range(modules.size)]).reshape(modules.shape)
    paint = noise if fill == "random" else np.full_like(modules, fill == "black")
    return np.where(covered, paint, modules)


def scratches(dice: random.Random, plate: Plate, count: int, width: float) -> tuple[Picture, bool | None]:
    """Draw straight lines from edge to edge of the symbol, ``width`` modules wide, black or white."""
    picture = plate.picture.copy()
    first, last = QUIET_ZONE * MODULE_PX, (QUIET_ZONE + plate.side) * MODULE_PX
    for _ in range(count):
        ends = [(dice.randint(first, last), first), (dice.randint(first, last), last)]
        if dice.random() < 0.5:
            ends = [(y, x) for x, y in ends]
        shade = dice.choice((0, 255))
        cv2.line(picture, ends[0], ends[1], shade, max(1, round(width * MODULE_PX)), cv2.LINE_AA)
    return picture, None


def blur(dice: random.Random, plate: Plate, sigma: float) -> tuple[Picture, bool | None]:
    """Out of focus: a Gaussian of ``sigma`` modules, with the noise of a sensor."""
    soft = cv2.GaussianBlur(plate.picture, (0, 0), sigma * MODULE_PX)
    return _with_noise(dice, np.asarray(soft, np.float64), 2), None


def low_contrast(dice: random.Random, plate: Plate, contrast: float) -> tuple[Picture, bool | None]:
    """Dark and light differ by ``contrast`` of the full range, about a random grey; noise of 3 grey levels."""
    span = 255 * contrast
    dark = dice.uniform(20, 235 - span)
    return _with_noise(dice, dark + plate.picture / 255 * span, 3), None


def tilt(dice: random.Random, plate: Plate, most_degrees: float) -> tuple[Picture, bool | None]:
    """Seen askew: turned about a random axis in its plane by up to ``most_degrees``, from three label widths away."""
    height, width = plate.picture.shape
    corners = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    angle, axis, roll = math.radians(dice.uniform(0, most_degrees)), dice.uniform(0, math.pi), dice.uniform(-0.3, 0.3)
    seen = np.array([_seen(x, y, angle, axis, roll, 3 * width) for x, y in corners])
    size = np.ceil(np.ptp(seen, axis=0)).astype(int) + 8 * MODULE_PX
    shift = size / 2 - (seen.max(axis=0) + seen.min(axis=0)) / 2
    to_view = cv2.getPerspectiveTransform(
        (corners + np.array((width, height)) / 2).astype(np.float32), (seen + shift).astype(np.float32)
    )
    view = cv2.warpPerspective(plate.picture, to_view, (int(size[0]), int(size[1])), borderValue=(255,))
    return _with_noise(dice, np.asarray(view, np.float64), 2), None


def _seen(x: float, y: float, angle: float, axis: float, roll: float, far: float) -> tuple[float, float]:
    """Where a camera ``far`` away sees a point of the label's plane, turned by ``angle`` about ``axis``."""
    along, across = x * math.cos(axis) + y * math.sin(axis), y * math.cos(axis) - x * math.sin(axis)
    depth = far + across * math.sin(angle)
    along, across = along * far / depth, across * math.cos(angle) * far / depth
    turn = axis + roll
    return along * math.cos(turn) - across * math.sin(turn), along * math.sin(turn) + across * math.cos(turn)


def _with_noise(
    dice: random.Random, picture: np.ndarray[tuple[int, ...], np.dtype[np.float64]], sigma: float
) -> Picture:
    noise = np.random.default_rng(dice.getrandbits(64)).normal(0, sigma, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def _patch(share: float, shape: Shape = "compact") -> Do:
    return partial(patch, share=share, shape=shape)


LARGE = 7
"""From version 7 on a symbol says its own version, twice, in words of 18 bits."""

KINDS = [
    Kind("patch 10 %", "斑块 10 %", _patch(0.10)),
    Kind("patch 15 %", "斑块 15 %", _patch(0.15)),
    Kind("patch 10 %, version 7", "斑块 10 %，版本 7", _patch(0.10), LARGE),
    Kind("patch 15 %, version 7", "斑块 15 %，版本 7", _patch(0.15), LARGE),
    Kind("ragged patch 10 %", "不规则斑块 10 %", _patch(0.10, "ragged")),
    Kind("ragged patch 15 %", "不规则斑块 15 %", _patch(0.15, "ragged")),
    Kind("2 scratches of 1/5 module", "细划痕 2 道，1/5 模块", partial(scratches, count=2, width=1 / 5)),
    Kind("5 scratches of 1/5 module", "细划痕 5 道，1/5 模块", partial(scratches, count=5, width=1 / 5)),
    Kind("5 scratches of 1/3 module", "细划痕 5 道，1/3 模块", partial(scratches, count=5, width=1 / 3)),
    Kind("10 % of a finder pattern", "定位图形损 10 %", partial(finder, share=0.1)),
    Kind("20 % of a finder pattern", "定位图形损 20 %", partial(finder, share=0.2)),
    Kind("blur of 0.5 module", "模糊 0.5 模块", partial(blur, sigma=0.5)),
    Kind("blur of 0.7 module", "模糊 0.7 模块", partial(blur, sigma=0.7)),
    Kind("tilt up to 30°", "倾斜 ≤ 30°", partial(tilt, most_degrees=30)),
    Kind("contrast 20 %", "对比度 20 %", partial(low_contrast, contrast=0.20)),
    Kind("contrast 8 %", "对比度 8 %", partial(low_contrast, contrast=0.08)),
]
