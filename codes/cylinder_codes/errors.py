"""What can be wrong with a text that should have been a code or a link, each with the place where."""

from enum import StrEnum


class CodeErrorKind(StrEnum):
    """What is wrong."""

    WRONG_LENGTH = "wrong_length"
    WRONG_CHARACTER = "wrong_character"
    WRONG_CHECK_DIGITS = "wrong_check_digits"
    MISSING_FILLER = "missing_filler"
    """A GRAI begins with a 0 that fills the field of a GTIN-14; without it every digit stands one too far left."""
    MISSING_SERIAL = "missing_serial"
    """A GRAI without serial names a type of cylinder, not one cylinder."""
    SERIAL_TOO_LONG = "serial_too_long"
    UNKNOWN_SCHEME = "unknown_scheme"
    NOT_A_LINK = "not_a_link"
    FOREIGN_LINK = "foreign_link"


class CodeError(ValueError):
    """A text that is not a code: ``kind`` says why, ``position`` where, counted from 1."""

    def __init__(self, kind: CodeErrorKind, position: int, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.position = position

    def moved(self, by: int) -> "CodeError":
        """The same error in a longer text, in which the code begins ``by`` characters later."""
        return CodeError(self.kind, self.position + by, str(self))
