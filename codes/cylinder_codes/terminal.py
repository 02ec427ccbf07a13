"""What a terminal (终端) cannot show is written as its number: no sentence is lost and no command stops over it."""

import codecs
import io
import sys

_ESCAPED = "cylinder_codes.escaped"
_HIGHEST_IN_ONE = 0xFFFF


def escape_what_cannot_be_shown() -> None:
    r"""Have standard output and error write ``\u7801`` where their encoding has no 码; called as a program begins.

    The numbers are those of JSON, in which whatever is not ASCII stands within strings: ``--json`` stays JSON.
    """
    codecs.register_error(_ESCAPED, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_numbers, error.object[error.start : error.end])), error.end


def _numbers(char: str) -> str:
    if ord(char) <= _HIGHEST_IN_ONE:
        return f"\\u{ord(char):04x}"
    high, low = divmod(ord(char) - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
