"""Printing tickets (打印挂牌票): to a receipt printer or a file; a printer that fails stops nothing."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Literal

from cylinder_codes.symbols import Symbol
from station_agent.ticket import Ticket

_START, _CHINESE, _CUT = b"\x1b@", b"\x1c&", b"\n\n\n\x1dV\x42\x00"
_DOTS_A_MODULE = 6
_QUIET = 4


def printer_place(data: PurePath, named: str, join: Callable[[str, str], str] = os.path.join) -> str:
    """What to open for a printer that the settings name; a relative path lies in the data folder.

    It stays text: a path object puts a backslash behind the name of a shared printer, and Windows does not open that.
    """
    return join(str(data), named)


class TicketPrinter:
    """Writes tickets one after another to `path`, the device of a printer or a file that grows."""

    def __init__(self, path: str | Path, kind: Literal["text", "escpos"] = "text") -> None:
        self._path = path
        self._kind = kind
        self._printing = asyncio.Lock()

    async def print(self, ticket: Ticket) -> str | None:
        """Print it; None, or in one sentence why it could not be printed."""
        content = escpos(ticket) if self._kind == "escpos" else (ticket.text() + "\f").encode()
        async with self._printing:  # two lanes share it
            try:
                await asyncio.to_thread(self._write, content)
            except OSError as error:
                return f"The ticket printer {self._path} cannot be written: {error.strerror}."
        return None

    def _write(self, content: bytes) -> None:
        with open(self._path, "ab", buffering=0) as printer:  # noqa: PTH123 - a printer's name is no path
            printer.write(content)


def escpos(ticket: Ticket) -> bytes:
    """The ticket in ESC/POS: lines in GB 18030, the symbol as a raster picture, a cut."""
    lines = "".join(f"{line}\n" for line in ticket.lines()).encode("gb18030", "replace")
    return _START + _CHINESE + lines + raster(ticket.symbol()) + _CUT


def raster(symbol: Symbol) -> bytes:
    """The symbol with its quiet zone as ``GS v 0``: rows of bits, the leftmost dot in the highest bit, 1 = black."""
    side = (symbol.size + 2 * _QUIET) * _DOTS_A_MODULE
    wide = -(-side // 8)
    blank = bytes(wide * _DOTS_A_MODULE)
    rows = [blank] * _QUIET + [_dots(row, wide) * _DOTS_A_MODULE for row in symbol.modules] + [blank] * _QUIET
    header = b"\x1dv0\x00" + wide.to_bytes(2, "little") + side.to_bytes(2, "little")
    return header + b"".join(rows)


def _dots(modules: bytes, wide: int) -> bytes:
    bits = "0" * _QUIET * _DOTS_A_MODULE + "".join(str(dark) * _DOTS_A_MODULE for dark in modules)
    return int(bits.ljust(wide * 8, "0"), 2).to_bytes(wide, "big")
