"""Reading failures (读码失败): every reason why a scan is no code, each with a sentence in both languages."""

from dataclasses import dataclass
from enum import StrEnum

from cylinder_codes.errors import CodeErrorKind


class ReadFailureKind(StrEnum):
    """Why nothing was read."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    NOT_A_CODE = "not_a_code"
    WRONG_LENGTH = "wrong_length"
    WRONG_CHARACTER = "wrong_character"
    WRONG_CHECK_DIGITS = "wrong_check_digits"
    TWO_CODES = "two_codes"
    FOREIGN_LINK = "foreign_link"
    MISSING_FILLER = "missing_filler"
    MISSING_SERIAL = "missing_serial"
    SERIAL_TOO_LONG = "serial_too_long"
    LOST_SEPARATOR = "lost_separator"
    NO_CHECK_CHARACTERS = "no_check_characters"
    WRONG_LAYOUT = "wrong_layout"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A scan that is no code: why, in two languages, and where.

    ``position`` counts characters from 1 in what arrived; None where no single place is to blame.
    """

    kind: ReadFailureKind
    text_en: str
    text_zh: str
    position: int | None = None


_SENTENCES = {
    ReadFailureKind.EMPTY: ("nothing arrived: scan again", "没有读到内容，请重新扫码"),
    ReadFailureKind.TOO_LONG: (
        "{length} characters arrived, more than {limit}: scan one symbol at a time",
        "收到 {length} 个字符，超过 {limit}，不是一次扫码，请逐个扫码",
    ),
    ReadFailureKind.NOT_A_CODE: (
        "this is not a cylinder code: scan the code on the cylinder",
        "这不是气瓶码，请扫描气瓶上的码",
    ),
    ReadFailureKind.WRONG_LENGTH: (
        "{length} characters arrived, a code has {limit}: scan again, or type the text",
        "气瓶码为 {limit} 位，收到 {length} 位，请重新扫码，或输入码下方的文字",
    ),
    ReadFailureKind.WRONG_CHARACTER: (
        "character {position} cannot stand there in a code: scan again, or type the code under the symbol",
        "第 {position} 个字符不可能出现在气瓶码的该位置，请重新扫码，或输入码下方的文字",
    ),
    ReadFailureKind.WRONG_CHECK_DIGITS: (
        "the check digits do not fit: scan again, or compare with the text under the symbol",
        "校验位不符，有字符读错，请重新扫码，或与码下方的文字核对",
    ),
    ReadFailureKind.TWO_CODES: (
        "two different codes arrived at once: scan one cylinder at a time",
        "一次收到两个不同的码，请逐瓶扫码",
    ),
    ReadFailureKind.FOREIGN_LINK: (
        "the link leads elsewhere and is no cylinder code of this register: scan the code on the cylinder",
        "该链接指向其他网站，不是本登记系统的气瓶码，请扫描气瓶上的码",
    ),
    ReadFailureKind.MISSING_FILLER: (
        "a GRAI begins with a filling 0, which is missing here: scan again, or type the text under the symbol",
        "GRAI 应以填充位 0 开头，此处缺少 0，请重新扫码，或输入码下方的文字",
    ),
    ReadFailureKind.MISSING_SERIAL: (
        "this GRAI has no serial and names a type of cylinder, not one cylinder: scan the cylinder's own code",
        "该 GRAI 没有序列号，只表示一类气瓶，请扫描气瓶本身的码",
    ),
    ReadFailureKind.SERIAL_TOO_LONG: (
        "the serial is longer than GS1 allows: scan one symbol at a time",
        "序列号超过 GS1 允许的长度，请逐个扫码",
    ),
    ReadFailureKind.LOST_SEPARATOR: (
        "the scanner drops the separator between GS1 elements: set it to send FNC1 as GS (ASCII 29)",
        "扫码枪丢失了 GS1 数据项之间的分隔符，请设置为将 FNC1 发送为 GS（ASCII 29）",
    ),
    ReadFailureKind.NO_CHECK_CHARACTERS: (
        "a GIAI alone has no check characters: type the whole line under the symbol, from (8004) to the digits after #",
        "单独的 GIAI 没有校验位，请完整输入码下方的一行文字，从 (8004) 到 # 后的两位数字",
    ),
    ReadFailureKind.WRONG_LAYOUT: (
        "scanner and computer are set to different keyboard layouts: set the scanner to that of the computer",
        "扫码枪与电脑的键盘布局不一致，请将扫码枪设置为与电脑相同的布局",
    ),
    ReadFailureKind.AMBIGUOUS: (
        "this can be read as two different codes: scan the QR symbol with the link, or type the text under it",
        "该内容可以读成两个不同的码，请扫描带链接的二维码，或输入码下方的文字",
    ),
}

_KIND_OF_ERROR = {
    CodeErrorKind.WRONG_LENGTH: ReadFailureKind.WRONG_LENGTH,
    CodeErrorKind.WRONG_CHARACTER: ReadFailureKind.WRONG_CHARACTER,
    CodeErrorKind.WRONG_CHECK_DIGITS: ReadFailureKind.WRONG_CHECK_DIGITS,
    CodeErrorKind.MISSING_FILLER: ReadFailureKind.MISSING_FILLER,
    CodeErrorKind.MISSING_SERIAL: ReadFailureKind.MISSING_SERIAL,
    CodeErrorKind.SERIAL_TOO_LONG: ReadFailureKind.SERIAL_TOO_LONG,
    CodeErrorKind.FOREIGN_LINK: ReadFailureKind.FOREIGN_LINK,
    CodeErrorKind.NOT_A_LINK: ReadFailureKind.FOREIGN_LINK,
    CodeErrorKind.UNKNOWN_SCHEME: ReadFailureKind.NOT_A_CODE,
}


_TOO_SHORT = (
    "the text ends too early for a GRAI or GIAI: scan again, or type the text under the symbol",
    "内容过短，不是完整的 GRAI 或 GIAI，请重新扫码，或输入码下方的文字",
)


def failure(kind: ReadFailureKind, position: int | None = None, length: int = 0, limit: int = 0) -> ReadFailure:
    """Return the failure with its two sentences; ``length`` and ``limit`` where they speak of a length."""
    short = kind == ReadFailureKind.WRONG_LENGTH and not limit
    text_en, text_zh = _TOO_SHORT if short else _SENTENCES[kind]
    facts = {"position": position, "length": length, "limit": limit}
    return ReadFailure(kind, text_en.format(**facts), text_zh.format(**facts), position)


def failure_of(error: CodeErrorKind) -> ReadFailureKind:
    """Return what an error of the strict parsers is called where scans are read."""
    return _KIND_OF_ERROR[error]
