"""Forms of legacy codes (旧码格式): what numbers from before look like, so that they can be read from a scanner.

No province publishes the form of its numbers, so none is built in: whoever runs a station or the service names those
that are in use there, one a line::

    province=ZJ{digits:12}                                   the whole text is the code
    province=https://qp.province.example/?id=(ZJ{digits:12}) the province's own link; the code is what the brackets hold
    maker=HZ-{letters:2-4}-{digits:4}-{digits:5}

A field has an exact length or a range; its kinds are ``digits``, ``letters``, ``hex`` and ``any`` (letters and digits).
Everything else stands for itself, in either case; ``{{ }} (( ))`` stand for single brackets.

This is no language of regular expressions on purpose: a form has at most two fields of varying length, which never
touch, so the work for a text is bounded by 80 * 80 steps whatever anybody writes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import DEFAULT_HOST, Code, legacy_code
from cylinder_codes.schemes import LEGACY_LENGTH, LEGACY_SCHEMES, Scheme, fold

_CLASSES = {"digits": "[0-9]", "letters": "[A-Z]", "hex": "[0-9A-F]", "any": "[0-9A-Z]"}
_VARYING_FIELDS = 2
_PIECE = re.compile(
    r"(?P<twice>\{\{|\}\}|\(\(|\)\))"
    r"|\{(?P<kind>[a-z]+):(?P<least>[0-9]{1,2})(?:-(?P<most>[0-9]{1,2}))?\}"
    r"|(?P<open>\()|(?P<close>\))|(?P<stray>[{}])|(?P<plain>.)",
    re.DOTALL,
)


class LegacyFormError(ValueError):
    """A form that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class LegacyForm:
    """How codes of ``scheme`` look: ``pattern`` matches the whole text. Raises LegacyFormError."""

    scheme: Scheme
    pattern: str

    def __post_init__(self) -> None:
        if self.scheme not in LEGACY_SCHEMES:
            raise LegacyFormError(f"{self.scheme} has a form already: one is named for {_scheme_words()}")
        _ = self._compiled

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return _compile(self.pattern)

    def code_in(self, text: str) -> Code | None:
        """Return the code that ``text`` is in this form, or None."""
        found = self._compiled.fullmatch(fold(text))
        if found is None:
            return None
        try:
            return legacy_code(self.scheme, found["code"])
        except CodeError:
            return None


@dataclass(frozen=True)
class ScanForms:
    """What may arrive at one register's scanners: the hosts whose ``/c/`` is ours, and how codes from before look."""

    hosts: tuple[str, ...] = (DEFAULT_HOST,)
    legacy_forms: tuple[LegacyForm, ...] = ()


def parse_legacy_forms(lines: str | Iterable[str]) -> tuple[LegacyForm, ...]:
    """Return the forms that ``lines`` name, each ``scheme=pattern``; empty lines are skipped.

    Raises LegacyFormError, which names the line.
    """
    listed = lines.splitlines() if isinstance(lines, str) else list(lines)
    return tuple(_parse(number, line.strip()) for number, line in enumerate(listed, 1) if line.strip())


def legacy_codes(text: str, forms: Sequence[LegacyForm]) -> set[Code]:
    """Return the codes that ``text`` may be; more than one when forms of different schemes match."""
    return {code for form in forms if (code := form.code_in(text))}


def _parse(number: int, line: str) -> LegacyForm:
    word, equals, pattern = line.partition("=")
    try:
        if not equals:
            raise LegacyFormError(f"{line!r} is no form: write scheme=pattern, such as province=ZJ{{digits:12}}")
        if word.strip() not in LEGACY_SCHEMES:
            raise LegacyFormError(f"{word.strip()!r} is no scheme that takes a form: it is one of {_scheme_words()}")
        return LegacyForm(Scheme(word.strip()), pattern.strip())
    except LegacyFormError as error:
        raise LegacyFormError(f"form {number}: {error}") from None


def _scheme_words() -> str:
    return ", ".join(sorted(LEGACY_SCHEMES))


def _compile(pattern: str) -> re.Pattern[str]:
    pieces = list(_PIECE.finditer(pattern))
    _check_fields(pattern, pieces)
    kept = _kept(pattern, pieces)
    body = "".join(_as_expression(piece) for piece in pieces)
    return re.compile(body if kept else f"(?P<code>{body})")


def _check_fields(pattern: str, pieces: Sequence[re.Match[str]]) -> None:
    varying, before = 0, False
    for piece in pieces:
        if piece["stray"]:
            raise LegacyFormError(f"{pattern!r} has a single {piece['stray']} at {piece.start() + 1}: write it twice")
        varies = _check_field(pattern, piece) if piece["kind"] else False
        if varies and before:
            raise LegacyFormError(f"in {pattern!r} two fields of varying length touch: nothing tells where one ends")
        varying += varies
        if not (piece["open"] or piece["close"]):
            before = varies
    if varying > _VARYING_FIELDS:
        raise LegacyFormError(f"{pattern!r} has {varying} fields of varying length, at most {_VARYING_FIELDS} may be")


def _check_field(pattern: str, piece: re.Match[str]) -> bool:
    """Whether the field varies in length."""
    least, most = int(piece["least"]), int(piece["most"] or piece["least"])
    if piece["kind"] not in _CLASSES:
        raise LegacyFormError(f"{piece['kind']!r} in {pattern!r} is no kind of field: it is {', '.join(_CLASSES)}")
    if not 1 <= least <= most <= LEGACY_LENGTH:
        raise LegacyFormError(f"{piece.group()} in {pattern!r}: a length is 1 to {LEGACY_LENGTH}, the smaller first")
    return least < most


def _kept(pattern: str, pieces: Sequence[re.Match[str]]) -> bool:
    """Whether brackets say which part is the code."""
    marks = "".join(piece.group() for piece in pieces if piece["open"] or piece["close"])
    if marks not in ("", "()"):
        raise LegacyFormError(f"{pattern!r}: one pair of brackets marks the code; as characters they are written twice")
    opened = [place for place, piece in enumerate(pieces) if piece["open"]]
    closed = [place for place, piece in enumerate(pieces) if piece["close"]]
    code = pieces[opened[0] : closed[0]] if marks else pieces
    if not any(piece["kind"] for piece in code):
        raise LegacyFormError(f"the code of {pattern!r} holds no field such as {{digits:12}}")
    return bool(marks)


def _as_expression(piece: re.Match[str]) -> str:
    if piece["kind"]:
        return f"{_CLASSES[piece['kind']]}{{{piece['least']},{piece['most'] or piece['least']}}}"
    if piece["open"]:
        return "(?P<code>"
    return piece["close"] or re.escape(fold(piece["twice"][0] if piece["twice"] else piece["plain"]))
