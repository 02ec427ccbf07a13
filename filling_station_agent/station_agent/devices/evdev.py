"""A scanner's keys straight from Linux (`/dev/input/event*`): whatever window has the focus, and for us alone.

The kernel hands out what each keyboard does as small records. Taken exclusively (EVIOCGRAB), a scanner types into no
other window, and a cylinder's code never lands in a chat or a spreadsheet. The keys are read on the US layout, which is
what a scanner's factory setting types for; caps lock is not looked at, so that it changes nothing.
"""

import os
import struct
import sys

if sys.platform != "win32":
    import fcntl

_RECORD = struct.Struct("llHHi")  # struct input_event: seconds, microseconds, type, code, value
_KEY_EVENT = 1
_RELEASED, _PRESSED = 0, 1
_EVIOCGRAB = 0x40044590
_SHIFTS, _CONTROLS, _ALTS = {42, 54}, {29, 97}, {56, 100}

_PLAIN = {
    **dict(zip(range(2, 14), "1234567890-=", strict=True)),
    **dict(zip(range(16, 28), "qwertyuiop[]", strict=True)),
    **dict(zip(range(30, 42), "asdfghjkl;'`", strict=True)),
    **dict(zip(range(43, 54), "\\zxcvbnm,./", strict=True)),
    15: "\t",
    28: "\r",
    57: " ",
    96: "\r",
}
_SHIFTED = {**_PLAIN, **{code: char.upper() for code, char in _PLAIN.items()}}
_SHIFTED |= {
    code: dict(zip("1234567890-=[];'`\\,./", '!@#$%^&*()_+{}:"~|<>?', strict=True))[char]
    for code, char in _PLAIN.items()
    if char in "1234567890-=[];'`\\,./"
}
_KEYPAD = {71: "7", 72: "8", 73: "9", 75: "4", 76: "5", 77: "6", 79: "1", 80: "2", 81: "3", 82: "0"} | {
    55: "*",
    74: "-",
    78: "+",
    83: ".",
    98: "/",
}


class EvdevKeys:
    """Turns the kernel's records into characters; keeps what is held down."""

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._half = b""
        self._number = ""

    def feed(self, records: bytes) -> str:
        """The characters that these bytes of `/dev/input/event*` type."""
        records = self._half + records
        whole = len(records) // _RECORD.size * _RECORD.size
        self._half = records[whole:]
        events = (
            (code, value) for _, _, kind, code, value in _RECORD.iter_unpack(records[:whole]) if kind == _KEY_EVENT
        )
        return "".join(self._key(code, value) for code, value in events)

    def _key(self, code: int, value: int) -> str:
        if code in _SHIFTS | _CONTROLS | _ALTS:
            return self._modifier(code, value)
        if value != _PRESSED:  # a key held down is no scanner's
            return ""
        if self._held & _ALTS and code in _KEYPAD:
            self._number += _KEYPAD[code]
            return ""
        if code in _KEYPAD:
            return _KEYPAD[code]
        char = (_SHIFTED if self._held & _SHIFTS else _PLAIN).get(code, "")
        if self._held & _CONTROLS and char:
            return chr(ord(char.upper()) & 0x1F)  # Ctrl+] is GS, 0x1D
        return char

    def _modifier(self, code: int, value: int) -> str:
        if value == _PRESSED:
            self._held.add(code)
        elif value == _RELEASED:
            self._held.discard(code)
        if code not in _ALTS or value == _PRESSED:
            return ""
        number, self._number = self._number, ""  # Alt and 0 2 9 on the keypad is GS, too
        return chr(int(number)) if number.isdecimal() and int(number) < 0x11_0000 else ""


def open_exclusively(device: str) -> int:
    """A file descriptor of that input device, whose keys nobody else is given. Raises OSError."""
    if sys.platform != "linux":
        raise OSError(f"{device}: only Linux lets a program take a keyboard for itself; set the scanner to serial mode")
    fd = os.open(device, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, _EVIOCGRAB, 1)
    except OSError:
        os.close(fd)
        raise
    return fd
