"""Patches (污损斑块): one connected region of modules, grown from a random seed.

Area means the share of **all modules of the symbol**, finder patterns included, quiet zone excluded: 15 % of a symbol
of 37 by 37 are 205 modules. A patch touches no finder pattern and no separator; everything else may lie under it,
timing patterns, alignment pattern, format information and all.

Compact: the next module is always the one nearest to the seed, the distance made uneven by up to two modules and
stretched up to twofold in a random direction: a blot of paint. Ragged: any neighbour is as likely as any other;
a coast full of inlets, which breaks half as many codewords again for its area (50 instead of 33 of the 134 in version 5
at 15 %).
"""

import heapq
import math
import random
from collections.abc import Iterator
from typing import Literal

import numpy as np

from damaged_labels.plates import Modules, finders

Shape = Literal["compact", "ragged"]
_Module = tuple[int, int]


def grow_patch(dice: random.Random, side: int, share: float, shape: Shape = "compact") -> Modules:
    """Return a patch of ``share`` of all modules, rounded to whole modules."""
    return grow_within(dice, ~finders(side), round(share * side * side), shape)


def grow_within(dice: random.Random, room: Modules, count: int, shape: Shape) -> Modules:
    """Return ``count`` connected modules of ``room``; a seed in a corner too small for them is drawn again."""
    free = [(int(row), int(column)) for row, column in zip(*np.nonzero(room), strict=True)]
    while True:
        patch = _grow(dice, room, dice.choice(free), count, shape)
        if patch is not None:
            return patch


def _grow(dice: random.Random, room: Modules, seed: _Module, count: int, shape: Shape) -> Modules | None:
    turn, stretch = dice.random() * math.pi, 1 + dice.random()
    patch = np.zeros_like(room)
    coast = [(0.0, seed)]
    seen = {seed}
    for _ in range(count):
        if not coast:
            return None
        module = heapq.heappop(coast)[1]
        patch[module] = True
        for neighbour in _neighbours(module, room):
            if neighbour not in seen:
                seen.add(neighbour)
                far = (
                    _distance(seed, neighbour, turn, stretch) + 2 * dice.random()
                    if shape == "compact"
                    else dice.random()
                )
                heapq.heappush(coast, (far, neighbour))
    return patch


def _neighbours(module: _Module, room: Modules) -> Iterator[_Module]:
    row, column = module
    for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
        if 0 <= near[0] < len(room) and 0 <= near[1] < len(room) and room[near]:
            yield near


def _distance(seed: _Module, module: _Module, turn: float, stretch: float) -> float:
    down, right = module[0] - seed[0], module[1] - seed[1]
    along = down * math.cos(turn) + right * math.sin(turn)
    across = right * math.cos(turn) - down * math.sin(turn)
    return math.hypot(along / stretch, across)
