"""Patterns of identifiers (标识模式), ``urn:epc:idpat:grai:9520001.12345.*``: which links they match.

What a pattern leaves open stands at its end, so the links that it matches lie between two ends, in ten places where an
indicator digit comes before the company prefix::

    urn:epc:idpat:grai:9520001.12345.*  https://id.gs1.org/8003/09520001123450…
    urn:epc:idpat:sgtin:9520001.*.*     https://id.gs1.org/01/09520001…, …/01/19520001…, …, …/01/99520001…

A company prefix (厂商识别代码) never begins with another one, so its digits alone say whose a link is.
"""

from collections.abc import Callable, Sequence

from cylinder_codes.check_digits import gs1_check_digit

_PATTERN = "urn:epc:idpat:"
_ROOT = "https://id.gs1.org/"
_DIGITS = "0123456789"
_NO_LINK = frozenset(("gid", "usdod", "adi", "bic", "imovn"))
"""Kinds that stay URNs: GS1 has no application identifier for them."""


def is_pattern(text: str) -> bool:
    """Whether a text is meant as a pattern."""
    return text.startswith(_PATTERN)


def spans_of(pattern: str) -> list[tuple[str, str]] | None:
    """Between which ends the matching identifiers lie, the upper ends left out; None for what is no such pattern."""
    scheme, colon, rest = pattern.removeprefix(_PATTERN).partition(":")
    fields = rest.split(".")
    fixed = fields[: fields.index("*")] if "*" in fields else fields
    is_whole = all(field == "*" for field in fields[len(fixed) :]) and all(fixed) and len(fixed) < len(fields)
    if not colon or not is_whole:
        return None
    if scheme in _NO_LINK:
        return [_below(f"urn:epc:id:{scheme}:" + "".join(f"{field}." for field in fixed))]
    ways = _KEYS.get(scheme)
    if ways is None or len(fields) != ways[0] or not all(field.isascii() and field.isdecimal() for field in fixed):
        return None
    return [_below(_ROOT + beginning) for beginning in ways[1](fixed)] or None


def _below(beginning: str) -> tuple[str, str]:
    """The span of all texts that begin so."""
    return beginning, beginning[:-1] + chr(ord(beginning[-1]) + 1)


Beginnings = Callable[[Sequence[str]], list[str]]


def _plain(ai: str, between: str = "", digits: int = 0, behind: str = "") -> Beginnings:
    """A key that its prefix begins; with `digits`, prefix and reference fill so many and a check digit follows."""

    def beginnings(fixed: Sequence[str]) -> list[str]:
        head = "".join(fixed)
        if digits and len(fixed) > 1:
            return [f"{ai}/{between}{_checked(head)}{behind}"] if len(head) == digits else []
        return [f"{ai}/{between if fixed else ''}{head}"]

    return beginnings


def _indicated(ai: str, digits: int, behind: str) -> Beginnings:
    """A key in which the reference's first digit stands before the prefix."""

    def beginnings(fixed: Sequence[str]) -> list[str]:
        match fixed:
            case [prefix, reference]:
                body = reference[0] + prefix + reference[1:]
                return [f"{ai}/{_checked(body)}{behind}"] if len(body) == digits else []
            case [prefix]:
                return [f"{ai}/{digit}{prefix}" for digit in _DIGITS]
        return [f"{ai}/"]

    return beginnings


def _checked(body: str) -> str:
    return body + gs1_check_digit(body)


_KEYS: dict[str, tuple[int, Beginnings]] = {
    "sgtin": (3, _indicated("01", 13, "/21/")),
    "sscc": (2, _indicated("00", 17, "")),
    "sgln": (3, _plain("414", digits=12)),
    "pgln": (2, _plain("417")),
    "grai": (3, _plain("8003", between="0", digits=12)),
    "giai": (2, _plain("8004")),
    "gdti": (3, _plain("253", digits=12)),
    "sgcn": (3, _plain("255", digits=12)),
    "gsrn": (2, _plain("8018")),
    "gsrnp": (2, _plain("8017")),
}
"""Scheme → how many fields it has, and with what its links begin."""
