"""Masks (掩模) of a QR symbol: the penalty by which ISO/IEC 18004 chooses one of eight, on whole matrices at once.

A matrix is one integer of ``size * size`` bits, the module in the upper left corner as its highest. Moving it by one
bit moves all modules by one column, by ``size`` bits by one row, so that a rule is a few operations on integers of
a thousand bits instead of a walk over a thousand modules: all eight masks cost a tenth of a millisecond.
"""

from functools import lru_cache
from typing import NamedTuple

MASKS = range(8)

_RUN_WEIGHT, _BLOCK_WEIGHT, _FINDER_WEIGHT, _BALANCE_WEIGHT = 3, 3, 40, 10
_FINDER = "1011101"
_LIGHT = 4
_FINDER_AND_LIGHT = len(_FINDER) + _LIGHT


def penalty(matrix: int, size: int) -> int:
    """How hard a symbol is to read, lower is better: runs of 5 and more, 2 by 2 blocks, finder look-alikes, balance.

    The four rules of ISO/IEC 18004 with their weights 3, 3, 40 and 10. Worked example: a matrix of 21 by 21 light
    modules has 42 runs of 21 (each 3 + 16), 400 blocks (each 3) and no dark module (100): 798 + 1200 + 100 = 2098.
    """
    across, down = _directions(size)
    equal_across = (across.full ^ matrix ^ matrix >> across.step) & across.pairs
    equal_down = (down.full ^ matrix ^ matrix >> down.step) & down.pairs
    blocks = equal_across & equal_across >> size & equal_down
    return (
        _runs(equal_across, across.step)
        + _runs(equal_down, down.step)
        + _BLOCK_WEIGHT * blocks.bit_count()
        + _FINDER_WEIGHT * (_finders(matrix, across) + _finders(matrix, down))
        + _BALANCE_WEIGHT * _imbalance(matrix, size)
    )


class _Direction(NamedTuple):
    """Along rows or along columns: ``step`` bits to the next module; where a pair, where a finder may begin."""

    step: int
    full: int
    pairs: int
    finders: int


@lru_cache(maxsize=40)
def _directions(size: int) -> tuple[_Direction, _Direction]:
    full = (1 << size * size) - 1
    row = (1 << size) - 1
    repeat = full // row  # the lowest bit of every row

    def across(length: int) -> int:
        return (row >> length - 1) * repeat

    def down(length: int) -> int:
        return full >> (length - 1) * size

    return (
        _Direction(1, full, across(2), across(_FINDER_AND_LIGHT)),
        _Direction(size, full, down(2), down(_FINDER_AND_LIGHT)),
    )


def _runs(equal: int, step: int) -> int:
    """A run of n >= 5 equal modules holds n - 4 windows of 5 and costs 3 + n - 5, one for each window and 2."""
    windows = equal & equal >> step
    windows &= windows >> 2 * step
    starts = windows & ~(windows << step)
    return windows.bit_count() + (_RUN_WEIGHT - 1) * starts.bit_count()


def _finders(matrix: int, direction: _Direction) -> int:
    """Dark-light-dark-dark-dark-light-dark with four light modules before it or behind it."""
    step = direction.step
    light = direction.full ^ matrix
    core = direction.full
    for place, module in enumerate(_FINDER):
        core &= (matrix if module == "1" else light) >> place * step
    calm = light & light >> step
    calm &= calm >> 2 * step
    behind = core & calm >> len(_FINDER) * step & direction.finders
    before = calm & core >> _LIGHT * step & direction.finders
    return behind.bit_count() + before.bit_count()


def _imbalance(matrix: int, size: int) -> int:
    """Whole steps of 5 % by which the share of dark modules differs from one half."""
    area = size * size
    return abs(2 * matrix.bit_count() - area) * 10 // area
