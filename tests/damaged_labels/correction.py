"""What error correction can restore: the codewords under the damage, counted block by block.

A block of a QR symbol with E codewords of error correction restores E // 2 wrong ones. A symbol with more wrong ones in
any block is beyond every decoder, however good.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import qrcode
from qrcode.base import rs_blocks

from cylinder_codes.symbols import Level
from damaged_labels.plates import Modules, Plate

_LEVELS = {
    "L": qrcode.ERROR_CORRECT_L,
    "M": qrcode.ERROR_CORRECT_M,
    "Q": qrcode.ERROR_CORRECT_Q,
    "H": qrcode.ERROR_CORRECT_H,
}


def can_be_restored(plate: Plate, damaged: Modules) -> bool:
    """Say whether no block of the symbol has more wrong codewords than it can restore."""
    places = _codeword_of_each_module(plate.version)
    wrong = np.unique(places[(plate.modules != damaged) & (places >= 0)])
    owners, capacities = _blocks(plate.version, plate.level)
    errors = np.bincount(owners[wrong], minlength=len(capacities))
    return bool((errors <= capacities).all())


@lru_cache
def _codeword_of_each_module(version: int) -> npt.NDArray[np.int64]:
    """The number of the codeword that each module is a bit of, -1 for patterns: found by placing the numbers' bits."""
    count = sum(block.total_count for block in rs_blocks(version, qrcode.ERROR_CORRECT_L))
    blank = _placed(version, [0] * count)
    places = np.zeros(blank.shape, np.int64)
    for plane in range(count.bit_length()):
        numbered = _placed(version, [255 if number + 1 >> plane & 1 else 0 for number in range(count)])
        places |= (numbered != blank).astype(np.int64) << plane
    return places - 1


def _placed(version: int, codewords: list[int]) -> Modules:
    symbol = qrcode.QRCode(version, border=0, mask_pattern=0)
    symbol.data_cache = codewords
    symbol.makeImpl(False, 0)
    return np.array(symbol.modules, dtype=np.bool_)


@lru_cache
def _blocks(version: int, level: Level) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each codeword, as interleaved in the symbol, its block; and how many wrong ones each block restores."""
    blocks = list(enumerate(rs_blocks(version, _LEVELS[level])))
    longest = max(block.data_count for _, block in blocks)
    owners = [number for place in range(longest) for number, block in blocks if place < block.data_count]
    spare = [block.total_count - block.data_count for _, block in blocks]
    owners += [number for place in range(max(spare)) for number, _ in blocks if place < spare[number]]
    return np.array(owners), np.array([each // 2 for each in spare])
